"""What agentguard47 says a call cost is counted, and counted once."""

from __future__ import annotations

import pytest

from agentguard_collector.agentguard47_costs import CostLedger
from tests.collector.agentguard47_lines import (
    attributes,
    converted,
    costs,
    event_line,
    span_line,
    spans_of,
)

CALL = {"model": "gpt-4o", "usage": {"input_tokens": 10, "output_tokens": 2}}


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (event_line(cost_usd=0.25), [0.25]),
        (event_line(cost_usd=0), [0.0]),
        (event_line("llm.end", data={"cost_usd": 0.25}), [0.25]),
        (event_line(cost_usd=0.5, data={"cost_usd": 0.25}), [0.5]),
        (event_line("search.paid", cost_usd=0.25), [0.25]),
        (event_line("guard.budget_exceeded", data={"cost_usd": 0.25}), []),
        (span_line(data={"cost_usd": 0.25}), []),
        (event_line(data=CALL), []),
    ],
)
def test_an_event_costs_what_it_states(line: dict[str, object], expected: list[float]) -> None:
    """As in agentguard47's sums: `cost_usd`, else that in the data; guards repeat others' costs."""
    assert costs(converted(line).request) == expected


def test_whatever_had_a_cost_is_a_model_call() -> None:
    """The store keeps the costs of model calls alone, so that is what has one."""
    [span] = spans_of(event_line("search.paid", cost_usd=0.25))
    assert attributes(span)["gen_ai.operation.name"] == "chat"


def test_a_total_without_calls_counts() -> None:
    """A program that fills its CostTracker and sends no events has its costs below the span."""
    span, total = spans_of(span_line(cost_usd=0.75, session_id="s"))
    assert "agentguard.cost.usd" not in attributes(span)
    assert total.parent_span_id == span.span_id
    assert attributes(total) == {
        "gen_ai.operation.name": "chat",
        "gen_ai.conversation.id": "s",
        "agentguard.cost.usd": 0.75,
    }


@pytest.mark.parametrize("event", [{"cost_usd": 0.25}, {"data": CALL}])
def test_a_total_after_its_calls_does_not(event: dict[str, object]) -> None:
    """A span whose calls have costs, or tokens to price, is not charged for them again."""
    ledger = CostLedger()
    converted(event_line(**event), ledger=ledger)
    [span] = spans_of(span_line(cost_usd=0.25), ledger=ledger)
    assert "agentguard.cost.usd" not in attributes(span)


@pytest.mark.parametrize("event", [{"cost_usd": 0.25}, {"data": CALL}])
def test_calls_after_the_total_do_not(event: dict[str, object]) -> None:
    """A batch of calls that was held up comes after the end line: they state that they cost 0."""
    ledger = CostLedger()
    assert costs(converted(span_line(cost_usd=0.25), ledger=ledger).request) == [0.25]
    assert costs(converted(event_line(**event), ledger=ledger).request) == [0.0]


def test_other_spans_count_for_themselves() -> None:
    """Totals of other spans, other traces and other projects' are others'."""
    ledger = CostLedger()
    converted(event_line(cost_usd=0.25), ledger=ledger)
    for other in ({"span_id": "other"}, {"trace_id": "other"}):
        assert costs(converted(span_line(cost_usd=0.5, **other), ledger=ledger).request) == [0.5]


def test_repeating_lines_changes_nothing() -> None:
    """Whatever order they came in first, the same lines state the same costs again."""
    for lines in (
        (event_line(cost_usd=0.25), span_line(cost_usd=0.25)),
        (span_line(cost_usd=0.25), event_line(cost_usd=0.25)),
    ):
        ledger = CostLedger()
        first = converted(*lines, ledger=ledger).request
        assert sum(costs(first)) == 0.25
        assert converted(*lines, ledger=ledger).request == first


def test_the_ledger_is_bounded() -> None:
    """It remembers the last 50,000 spans, and of the rest nothing."""
    ledger = CostLedger()
    for number in range(50_001):
        ledger.count_call(number.to_bytes(16, "big"))
    assert not ledger.count_total((50_000).to_bytes(16, "big"))
    assert ledger.count_total(bytes(16))
