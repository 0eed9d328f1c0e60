"""Lines of agentguard47 become the spans that they stand for."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard_collector.agentguard47 import MOST_LINES, SHOWN_ERRORS, convert
from agentguard_collector.agentguard47_costs import CostLedger
from agentguard_collector.errors import TooLarge
from agentguard_collector.otlp import read
from tests.collector.agentguard47_lines import (
    PARENT,
    TRACE,
    attributes,
    converted,
    event_line,
    said,
    span_line,
    spans_of,
)
from tests.collector.otlp_samples import spans_in

_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=8,
)
_names = st.sampled_from(
    ["agent.run", "tool.search", "llm.result", "llm.end", "guard.loop_detected", "step.x", "tool."]
)
_odd_lines = st.builds(
    lambda line, name, odd: {**line, "name": name, **odd},
    st.sampled_from([span_line(), event_line(), span_line(phase="start")]),
    _names | st.text(max_size=5),
    st.dictionaries(
        st.sampled_from([*event_line(), "metadata", "session_id", "cost_usd"]), _json, max_size=3
    )
    | st.fixed_dictionaries(
        {"data": st.dictionaries(st.sampled_from(["usage", "tool", "cost_usd", "model"]), _json)}
    ),
)


def test_an_end_line_is_a_whole_span() -> None:
    """It has the sender's trace id, name and times, its parent, and no start line is needed."""
    start = span_line(phase="start", parent_id=PARENT)
    [span] = spans_of(start, span_line(parent_id=PARENT))
    assert span.trace_id.hex() == TRACE
    assert (span.name, len(span.span_id), len(span.parent_span_id)) == ("agent.run", 8, 8)
    assert span.end_time_unix_nano == 1_790_000_000_250_000_000
    assert span.end_time_unix_nano - span.start_time_unix_nano == 10**9
    [parent] = spans_of(span_line(span_id=PARENT))
    assert (span.parent_span_id, parent.parent_span_id) == (parent.span_id, b"")


def test_an_event_is_a_child_of_its_span() -> None:
    """It hangs below the span it was in, whose parent is its line's parent, and takes no time."""
    event, span = spans_of(event_line("thought", data={"text": "hm"}), span_line(parent_id=PARENT))
    assert event.parent_span_id == span.span_id != event.span_id
    assert event.start_time_unix_nano == event.end_time_unix_nano == 1_790_000_000_250_000_000
    assert attributes(event) == {"agentguard47.data.text": "hm"}


def test_the_same_line_is_the_same_span_and_others_are_others() -> None:
    """An event is known by its span, name, time and data, also without the sink's own fields."""
    event = event_line(data={"model": "m"})
    from_a_file = {key: value for key, value in event.items() if key != "type"}
    others = [{**event, "ts": 1.5}, {**event, "name": "x"}, {**event, "data": {"model": "n"}}]
    ids = [span.span_id for span in spans_of(event, from_a_file, *others)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


def test_what_a_tracer_notes_for_itself_makes_no_span() -> None:
    """Its watermark and its start lines are accepted; the end line says all that they say."""
    watermark = {"service": "app", "kind": "meta", "name": "watermark", "message": "hi", "ts": 1.0}
    found = converted(watermark, span_line(phase="start"))
    assert (found.accepted, found.rejected, spans_in(found.request)) == (2, 0, [])


def test_whose_it_is_is_in_the_resource() -> None:
    """Lines of a service with the same metadata share a resource; a session is on each span."""
    tagged = {"metadata": {"env": "prod", "sha": "abc", "build": 7}, "session_id": "s"}
    found = converted(span_line(**tagged), event_line(**tagged), event_line(service="other"))
    first, second = found.request.resource_spans
    assert attributes(first.resource) == {
        "service.name": "app",
        "deployment.environment.name": "prod",
        "agentguard47.metadata.sha": "abc",
        "agentguard47.metadata.build": "7",
    }
    assert attributes(second.resource) == {"service.name": "other"}
    sessions = [attributes(span).get("gen_ai.conversation.id") for span in spans_in(found.request)]
    assert sessions == ["s", "s", None]


@pytest.mark.parametrize("error", [{"type": "ValueError", "message": "no"}, "no"])
def test_an_error_is_the_spans_status(error: Any) -> None:
    """Type and message of the exception are where OpenTelemetry has them."""
    [span] = spans_of(span_line(error=error))
    assert (span.status.code, span.status.message) == (2, "no")
    assert attributes(span)["error.type"] == ("error" if error == "no" else "ValueError")


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (span_line("agent.research"), {"operation.name": "invoke_agent", "agent.name": "research"}),
        (span_line("tool.search"), {"operation.name": "execute_tool", "tool.name": "search"}),
        (event_line("tool.search"), {"operation.name": "execute_tool", "tool.name": "search"}),
        (
            event_line("tool.call", data={"tool_name": "Bash"}),
            {
                "operation.name": "execute_tool",
                "tool.name": "Bash",
                "tool.call.arguments": '{"tool_name": "Bash"}',
            },
        ),
        (
            span_line("step.search", data={"tool": "search", "input": "x"}),
            {
                "operation.name": "execute_tool",
                "tool.name": "search",
                "tool.call.arguments": '{"input": "x"}',
            },
        ),
        (event_line("tool.result"), {}),
        (event_line("tool.error"), {}),
        (span_line("step.thought"), {}),
        (span_line("chain.RunnableSequence"), {"operation.name": "invoke_workflow"}),
        (span_line("node.plan"), {"operation.name": "invoke_workflow"}),
        (span_line("llm.openai.gpt-4o", data={"model": "gpt-4o"}), {"request.model": "gpt-4o"}),
        (event_line("agent.answer"), {}),
    ],
)
def test_names_say_what_an_operation_is(line: dict[str, Any], expected: dict[str, str]) -> None:
    """The first word of a name, as agentguard47 writes it, gives the operation."""
    found = {key: value for key, value in said(line).items() if key.startswith("gen_ai.")}
    assert found == {f"gen_ai.{key}": value for key, value in expected.items()}


@pytest.mark.parametrize(
    ("name", "data", "guard", "action"),
    [
        ("guard.budget_exceeded", {"message": "too much", "cost_usd": 5.0}, "budget", "stop"),
        ("guard.loop_detected", {"error": "too much"}, "loop", "stop"),
        ("guard.retry_limit_exceeded", {"message": "too much"}, "retry", "stop"),
        ("guard.budget_warning", {"message": "too much"}, "budget", "warn"),
    ],
)
def test_verdicts_of_guards_are_found(
    name: str, data: dict[str, Any], guard: str, action: str
) -> None:
    """Its guard events are guard spans as ours are; only a stop is an error and a stop reason."""
    [span] = spans_of(event_line(name, data=data))
    found = attributes(span)
    assert span.status.message == ("too much" if action == "stop" else "")
    assert found["gen_ai.operation.name"] == "guard"
    assert found["agentguard.guard.name"] == guard
    assert found["agentguard.guard.action"] == action
    assert found.get("agentguard.stop.reason") == ("too much" if action == "stop" else None)
    assert "agentguard.cost.usd" not in found


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}, (10, 4, 0, 0, 0)),
        (
            {"prompt_tokens": 10, "completion_tokens": 4, "cached_input_tokens": 6}
            | {"reasoning_tokens": 3, "total_tokens": 14},
            (10, 4, 6, 0, 3),
        ),
        (
            {"input_tokens": 10, "output_tokens": 4, "cached_input_tokens": 6}
            | {"cache_read_input_tokens": 6, "cache_write_input_tokens": 5, "total_tokens": 25},
            (21, 4, 6, 5, 0),
        ),
        ({"input_tokens": 10, "output_tokens": 4, "cache_read_input_tokens": 6}, (16, 4, 6, 0, 0)),
        ({"total_tokens": 14}, (0, 0, 0, 0, 0)),
        (
            {"prompt_tokens": 10, "completion_tokens": 4}
            | {"prompt_tokens_details": {"cached_tokens": 6}}
            | {"completion_tokens_details": {"reasoning_tokens": 3}},
            (10, 4, 6, 0, 3),
        ),
        (
            {"input_tokens": 10, "output_tokens": 4, "total_tokens": 14}
            | {"input_token_details": {"cache_read": 6, "cache_creation": 2}},
            (10, 4, 6, 2, 0),
        ),
    ],
)
@pytest.mark.parametrize("key", ["usage", "token_usage"])
def test_tokens_are_counted_as_the_conventions_do(
    usage: dict[str, Any], expected: tuple[int, ...], key: str
) -> None:
    """The input includes cached tokens whoever reported it, and the output reasoning."""
    found = said(event_line(data={"model": "m", "provider": "p", key: usage}))
    assert (found["gen_ai.operation.name"], found["gen_ai.request.model"]) == ("chat", "m")
    names = "input_tokens", "output_tokens", "cache_read.input_tokens"
    names += "cache_write.input_tokens", "reasoning.output_tokens"
    assert tuple(found.get(f"gen_ai.usage.{name}", 0) for name in names) == expected


def test_data_without_a_name_is_kept() -> None:
    """Texts and numbers stay what they are, and what is nested is JSON."""
    data = {"text": "t", "yes": True, "count": 3, "share": 0.5, "list": [1, {"a": None}]}
    data |= {"huge": 2**70, "gone": None, "half": "\ud83d"}
    found = said(event_line("note", data=data))
    assert found == {
        "agentguard47.data.text": "t",
        "agentguard47.data.yes": True,
        "agentguard47.data.count": 3,
        "agentguard47.data.share": 0.5,
        "agentguard47.data.list": '[1, {"a": null}]',
        "agentguard47.data.huge": str(2**70),
        "agentguard47.data.half": "?",
    }


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "nested too deep"),
        ([], "must be a JSON object"),
        (span_line(kind="log"), "kind must be"),
        (span_line(phase="middle"), "phase of a span"),
        (span_line(trace_id=""), "trace_id must not be empty"),
        (event_line(span_id=7), "span_id must be a text"),
        (span_line(name=None), "name must be a text"),
        (span_line(ts="now"), "ts must be a number"),
        (span_line(ts=1_790_000_000_250), "ts must be a number from 0 to 9e+09"),
        (span_line(duration_ms=-1), "duration_ms"),
        (event_line(data=[1]), "data must be an object"),
        (event_line(cost_usd=float("nan")), "cost_usd"),
        (event_line(cost_usd="free"), "cost_usd"),
        (event_line(cost_usd=True), "cost_usd"),
    ],
)
def test_a_bad_line_is_told_and_the_others_kept(line: Any, problem: str) -> None:
    """The answer names the line and what is wrong with it."""
    found = converted(span_line(), b"", line, event_line())
    assert (found.accepted, found.rejected) == (2, 1)
    assert len(spans_in(found.request)) == 2
    assert found.errors[0]["line"] == 3
    assert problem in str(found.errors[0]["error"])


def test_only_the_first_errors_are_told() -> None:
    """The answer stays short whatever comes, and the count is right."""
    found = converted(*[b"{"] * (SHOWN_ERRORS + 5))
    assert (found.rejected, len(found.errors)) == (SHOWN_ERRORS + 5, SHOWN_ERRORS)
    with pytest.raises(TooLarge):
        convert(b"\n" * MOST_LINES, "project", CostLedger())


@given(st.lists(st.binary(max_size=30) | _odd_lines.map(json.dumps).map(str.encode), max_size=6))
def test_whatever_comes_is_accounted_for(lines: list[bytes]) -> None:
    """Each line is accepted or rejected, what is made of it is valid OTLP, and again the same."""
    body = b"\n".join([json.dumps(span_line(span_id="known")).encode(), *lines])
    found = convert(body, "project", CostLedger())
    assert found.accepted + found.rejected == sum(bool(x.strip()) for x in body.split(b"\n"))
    assert found.accepted >= 1
    sent = found.request.SerializeToString()
    assert read(sent, b"prefix", 2 * 10**18).rejected.count == 0
    assert convert(body, "project", CostLedger()).request.SerializeToString() == sent
