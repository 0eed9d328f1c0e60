"""What was spent, by month and by what; what stops saved; how fast a scope spends."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard_storage.queries.burn import BURN_SCOPES, burn_rate
from agentguard_storage.queries.costs import by_model, costs_by, monthly
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.savings import METHOD, saved, savings
from tests.storage.queries.known_spans import HOSTILE, HOURS, START, Known, known_spans, requests
from tests.storage.telemetry.telemetry_store import make_span, request_of

PROJECT = "prj_costs"
SPANS = known_spans(11)
END = START + timedelta(hours=HOURS + 12)
ALL = TimeRange(START - timedelta(hours=1), END)
SECOND = 10**9


@pytest.fixture(scope="module")
def reader(store) -> Reader:
    """Asks about the known spans, beside which another project has the same and more."""
    store.insert(requests(SPANS), project=PROJECT)
    store.insert(requests([*SPANS, *known_spans(12)]), project="prj_other_costs")
    return store.reader(PROJECT)


def cost_of(spans: list[Known]) -> Decimal | None:
    """The dollars of some spans; None where none of them has a price."""
    cost = sum((span.cost for span in spans if span.cost is not None), Decimal(0))
    return None if not cost and any(span.unpriced for span in spans) else cost


def test_each_model_costs_what_its_calls_cost(reader):
    """Most first; what no price is known of is there, without a cost."""
    calls = defaultdict(list)
    for span in SPANS:
        if span.kind == "llm":
            calls[span.provider, span.model].append(span)
    rows = by_model(reader, ALL)
    assert [row.cost or 0 for row in rows] == sorted((r.cost or 0 for r in rows), reverse=True)
    assert {
        row.group: (row.cost, row.calls, row.unpriced_calls, row.tokens) for row in rows
    } == {
        group: (
            cost_of(spans), len(spans), sum(s.unpriced for s in spans), sum(s.tokens for s in spans)
        )
        for group, spans in calls.items()
    }  # fmt: skip
    assert next(row for row in rows if row.group == ("openai", "nobody-knows")).cost is None


class Planning(Reader):
    """Keeps how the engine goes about each statement, and answers nothing."""

    plans: list[str]

    def rows(self, statement, parameters=None, **settings):
        """What was found: nothing."""
        plan = super().rows(f"EXPLAIN {statement}", parameters, **settings)
        self.plans = [*getattr(self, "plans", []), "\n".join(row["explain"] for row in plan)]
        return []


def test_costs_by_model_are_read_from_what_is_summed_up_by_model(reader):
    """A month of all the hours' rows takes twice as long as it may."""
    # The range's whole hours alone: its ends are read span by span.
    whole = TimeRange(ALL.start.replace(minute=0), ALL.end.replace(minute=0))
    planning = Planning(reader.client, PROJECT)
    by_model(planning, whole)
    (plan,) = planning.plans
    assert "ReadFromMergeTree (by_model)" in plan


@pytest.mark.parametrize("by", ["agent", "service", "session", "user", "attr.customer.tier"])
def test_costs_are_summed_by_anything(reader, by):
    """Whatever they are summed by, it is all of them."""
    total = sum(row.cost or Decimal(0) for row in by_model(reader, ALL))
    rows = costs_by(reader, ALL, [by])
    assert sum(row.cost or Decimal(0) for row in rows) == total
    assert sum(row.calls for row in rows) == sum(span.kind == "llm" for span in SPANS)


def test_months_are_those_of_the_calendar(reader):
    """The month of now comes last, and spans count in the month that they started in."""
    now = datetime(2026, 4, 15, tzinfo=UTC)
    months = monthly(reader, now=now, months=3)
    assert [month.month for month in months] == ["2026-02", "2026-03", "2026-04"]
    assert (months[0].cost, months[0].calls) == (0, 0)
    for month in months[1:]:
        spans = [
            span
            for span in SPANS
            if month.starts_at.timestamp() <= span.start_ns / SECOND < month.ends_at.timestamp()
        ]
        assert (month.cost, month.tokens) == (cost_of(spans), sum(s.tokens for s in spans))
    berlin = monthly(reader, now=now, months=1, timezone="Europe/Berlin")
    assert berlin[0].starts_at == datetime(2026, 3, 31, 22, tzinfo=UTC)


def test_a_month_in_a_zone_of_half_hours_is_exact(reader):
    """Where a month begins in the middle of an hour, the hour's spans are told apart."""
    now = datetime(2026, 4, 2, tzinfo=UTC)
    [month] = monthly(reader, now=now, months=1, timezone="Asia/Kolkata")
    assert month.starts_at == datetime(2026, 3, 31, 18, 30, tzinfo=UTC)
    begin = month.starts_at.timestamp()
    assert month.tokens == sum(s.tokens for s in SPANS if s.start_ns / SECOND >= begin)


def test_savings_are_estimates_of_the_first_stop_of_each_trace(reader):
    """Each stop has its estimate and what it is made of; those without one are counted."""
    found = savings(reader, ALL)
    stops: dict[str, Known] = {}
    for span in sorted(SPANS, key=lambda span: (span.start_ns, span.span_id)):
        if span.guard_action == "stop":
            stops.setdefault(span.trace_id, span)
    assert {stop.trace_id for stop in found.stops} == set(stops)
    assert [stop.stopped_at for stop in found.stops] == sorted(
        (stop.stopped_at for stop in found.stops), reverse=True
    )
    for stop in found.stops:
        said = stops[stop.trace_id]
        assert (stop.guard, stop.reason) == (said.guard, said.stop_reason)
        calls = [
            (span.start_ns, span.cost)
            for span in SPANS
            if span.trace_id == stop.trace_id and span.kind == "llm"
        ]
        assert stop.saved == saved(calls, said.start_ns)
    amounts = [stop.saved.amount for stop in found.stops if stop.saved.amount is not None]
    assert (found.amount, found.known) == (sum(amounts), len(amounts))
    assert found.unknown == len(stops) - len(amounts) > 0
    assert (found.method, found.complete) == (METHOD, True)
    assert not savings(reader, ALL, limit=2).complete


def test_refused_calls_are_no_part_of_the_rate(store, project):
    """A model call that failed without a token cost nothing, and is no call of the rate."""
    at = int(START.timestamp()) * SECOND
    call = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o"}
    trace = {"trace_id": b"r" * 16}
    spans = [
        make_span(
            call | {"gen_ai.usage.input_tokens": 10, "agentguard.cost.usd": 0.25},
            start_time_unix_nano=at + number * SECOND, **trace,
        )
        for number in range(4)
    ]  # fmt: skip
    refused = make_span(call, start_time_unix_nano=at + 4 * SECOND, **trace)
    refused.status.code = 2
    stop = {"gen_ai.operation.name": "guard", "agentguard.guard.action": "stop"}
    stop |= {"agentguard.guard.name": "loop", "agentguard.stop.reason": "again"}
    stopped = make_span(stop, start_time_unix_nano=at + 5 * SECOND, **trace)
    store.insert([request_of(*spans, refused, stopped)], project=project)
    [found] = savings(store.reader(project), ALL).stops
    assert (found.saved.calls, found.saved.cost) == (4, Decimal(1))
    assert (
        found.saved.amount
        == saved(
            [(at + number * SECOND, Decimal("0.25")) for number in range(4)], at + 5 * SECOND
        ).amount
    )


def test_nothing_stopped_saves_nothing(reader):
    """Where there was no stop there is no figure."""
    before = TimeRange(START - timedelta(days=9), START - timedelta(days=8))
    found = savings(reader, before)
    assert (found.amount, found.known, found.unknown, found.stops) == (None, 0, 0, [])


def test_a_steady_run_saves_what_it_cost():
    """At a constant rate, as long again costs as much again."""
    found = saved([(second * SECOND, Decimal("0.10")) for second in range(10)], 10 * SECOND)
    assert found.amount == Decimal("1.00")
    assert found.cost_per_hour == 360
    assert (found.calls, found.rate_calls, found.seconds) == (10, 5, 10.0)


def test_a_run_that_grew_dearer_is_estimated_by_its_end():
    """The rate is that of the second half."""
    calls = [(second * SECOND, Decimal(second)) for second in range(10)]
    assert saved(calls, 10 * SECOND).amount == (5 + 6 + 7 + 8 + 9) * 2


@pytest.mark.parametrize(
    "calls",
    [[], [(0, Decimal(1))], [(0, None), (1, None), (2, Decimal(1))], [(9, Decimal(1))] * 3],
)
def test_without_a_rate_nothing_is_estimated(calls):
    """One priced call is no rate, and calls after the stop are none of it."""
    found = saved(calls, 5)
    assert (found.amount, found.cost_per_hour, found.rate_calls) == (None, None, 0)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 10**18),
            st.none() | st.decimals(0, 10**6, places=12),
        ),
        max_size=30,
    ),
    st.integers(0, 10**18),
)
def test_an_estimate_is_never_negative_nor_beyond_twice_what_was_spent(calls, stopped):
    """However calls lie, the estimate stays within the run's own figures."""
    found = saved(calls, stopped)
    if found.amount is not None:
        assert 0 <= found.amount <= found.cost * 2 + Decimal("1e-6")


NOW = START + timedelta(hours=80, minutes=7)


@pytest.mark.parametrize(
    ("scope", "value"),
    [
        ("project", ""), ("service", "writer"), ("agent", "Planner"), ("model", "gpt-4o"),
        ("user", "ada"), ("session", HOSTILE), ("tool", "search"), ("agent", "' OR 1=1 --"),
    ],
)  # fmt: skip
def test_a_scope_burns_what_its_calls_used(reader, scope, value):
    """Calls, tokens and dollars of the window are those of the scope's spans in it."""
    burn = burn_rate(reader, scope, value, now=NOW, window=timedelta(hours=48))
    # The hour that is now is read whole, where hours are summed up already: nothing lies ahead.
    whole = scope in ("project", "service", "agent", "model")
    until = NOW.replace(minute=0, second=0) + timedelta(hours=1) if whole else NOW
    spans = [
        span
        for span in SPANS
        if burn.since.timestamp() <= span.start_ns / SECOND < until.timestamp()
        and span.kind == ("tool" if scope == "tool" else "llm")
        and (scope == "project" or getattr(span, scope) == value)
    ]
    assert burn.calls == len(spans)
    assert burn.tokens == sum(span.tokens for span in spans)
    assert burn.cost == (cost_of(spans) or 0)
    assert burn.unpriced_calls == sum(span.unpriced for span in spans)
    assert timedelta(hours=48) <= burn.until - burn.since < timedelta(hours=49)
    assert burn.cost_per_hour == burn.cost / burn.hours


def test_what_burns_for_a_goal_is_known(store, project):
    """A goal is an attribute of each of a run's spans."""
    call = {"gen_ai.operation.name": "chat", "agentguard.cost.usd": 0.5}
    at = int((NOW - timedelta(minutes=5)).timestamp()) * SECOND
    spans = [
        make_span(call | {"agentguard.run.goal": goal}, start_time_unix_nano=at)
        for goal in ("a", "a", "b")
    ]
    store.insert([request_of(*spans)], project=project)
    assert burn_rate(store.reader(project), "goal", "a", now=NOW).cost == 1


def test_what_cannot_be_asked_is_refused(reader):
    """Scopes, windows, months and limits that there are not are told."""
    for wrong in (
        lambda: burn_rate(reader, "1 OR 1", now=NOW),
        lambda: burn_rate(reader, "project", now=NOW, window=timedelta(0)),
        lambda: burn_rate(reader, "project", now=NOW, window=timedelta(days=3_650)),
        lambda: monthly(reader, now=NOW, months=10**9),
        lambda: monthly(reader, now=NOW, timezone="Nowhere"),
        lambda: costs_by(reader, ALL, ["dollars"]),
        lambda: savings(reader, ALL, limit=10**9),
    ):
        with pytest.raises(InvalidQuery):
            wrong()


def test_every_scope_of_a_budget_can_burn():
    """The scopes are those that budgets have."""
    from agentguard_storage.control.budgets import SCOPES

    assert set(BURN_SCOPES) == set(SCOPES)
