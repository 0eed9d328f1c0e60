"""Whatever models send: they are told what is wrong, and nothing of how it works inside."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.mcp_server.conftest import Served
from tests.mcp_server.recorded import INJECTION
from tests.mcp_server.test_mcp_every_tool import calls

INTERNALS = re.compile(
    r"Traceback|DB::|ClickHouse|Code: \d|sqlalchemy|sqlite|SELECT |File \"|pydantic|0x[0-9a-f]{8}"
)
SQL = "x' OR 1=1; DROP TABLE spans; --"
UNKNOWN = "0" * 32


def wrong(result: dict[str, Any]) -> str:
    """The text of a result that is an error and shows nothing of the inside."""
    assert result.get("isError") is True, result
    told = str(result["content"][0]["text"])
    assert told
    assert not INTERNALS.search(told), told
    return told


@pytest.mark.parametrize(
    ("tool", "arguments", "words"),
    [
        ("get_trace", {"trace_id": UNKNOWN}, "no trace with this id"),
        ("get_span", {"trace_id": UNKNOWN, "span_id": "1" * 16}, "no such span"),
        ("explain_stop", {"trace_id": UNKNOWN}, "no trace with this id"),
        ("compare_traces", {"first": UNKNOWN, "second": UNKNOWN}, "no trace with one of"),
        ("share_trace", {"trace_id": UNKNOWN}, "no trace with this id"),
        ("annotate_trace", {"trace_id": UNKNOWN, "text": "x"}, "no trace with this id"),
        ("check_budget", {"name": "nowhere"}, "no budget 'nowhere'"),
        ("reserve_budget", {"name": "nowhere", "usd": 1}, "no budget 'nowhere'"),
        ("query_traces", {"limit": 10**9}, "argument `limit`"),
        ("query_traces", {"cursor": "abc"}, "cursor: this cursor does not belong"),
        ("query_traces", {"last": "9999w"}, "at most 400 days"),
        (
            "query_traces",
            {"start": "2026-02-01T00:00:00Z", "end": "2026-01-01T00:00:00Z"},
            "ends before it begins",
        ),
        ("query_traces", {"start": "2026-02-01T00:00:00"}, "argument `start`"),
        ("query_traces", {"limmit": 3}, "argument `limmit`"),
        ("get_trace", {"trace_id": UNKNOWN, "depth": 0}, "argument `depth`"),
        ("search", {"filter": "modle:gpt-4o"}, "at column 1; did you mean 'model'"),
        ("search", {"filter": "kind:llm and ("}, "at column"),
        ("search", {"filter": 'text:"unclosed'}, "at column"),
        ("get_costs", {"by": ["moon"]}, "argument `by.0`"),
        ("get_usage", {"timezone": "Mars/Olympus"}, "time zone"),
        ("set_budget", {"name": "b"}, "give usd, tokens or calls"),
        ("set_budget", {"name": "b", "usd": "NaN"}, "argument `usd`"),
        ("set_budget", {"name": "b", "usd": 1, "timezone": "Mars/Olympus"}, "no time zone"),
        ("report_usage", {"name": "b", "reservation_id": "short", "usd": 1}, "reservation_id"),
        ("stop_run", {"run": "\x00", "reason": "x"}, "argument `run`"),
    ],
)
def test_mistakes_are_told(served: Served, tool: str, arguments: dict[str, Any], words: str):
    """A mistake is a tool error that says what is wrong and where."""
    assert words in wrong(served.call(tool, **arguments))


def test_sql_in_every_field(served: Served):
    """SQL in any argument of any tool is a value like others, or refused as none."""
    for tool, arguments in calls(served, "sql"):
        for name in arguments:
            result = served.call(tool, **{**arguments, name: SQL})
            if result.get("isError"):
                wrong(result)
    assert served.found("get_trace", trace_id=served.well.hex)["spans"] == 4


ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
def test_any_arguments(served: Served, data: st.DataObject):
    """Whatever is sent as an argument, there is a result, and nothing of the inside in it."""
    known = calls(served, "fuzz")
    tool, arguments = data.draw(st.sampled_from(known))
    name = data.draw(st.sampled_from([*arguments, "limit", "cursor", "start", "filter", "last"]))
    params = {"name": tool, "arguments": {**arguments, name: data.draw(ANY)}}
    answer = served.ask("tools/call", params, key=served.writing)
    if "error" in answer:
        assert answer["error"]["code"] == -32602, answer
        assert not INTERNALS.search(answer["error"]["message"]), answer
    elif answer["result"].get("isError"):
        wrong(answer["result"])


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(text=st.text(max_size=300))
def test_any_filter(served: Served, text: str):
    """Every filter is answered, or the column of its mistake is told."""
    result = served.call("search", filter=text)
    if result.get("isError"):
        wrong(result)


def test_what_agents_wrote_stays_within_its_fence(served: Served):
    """Recorded text stands between two lines that it cannot end, and under `untrusted` keys."""
    result = served.call("explain_stop", trace_id=served.stopped.hex)
    text = result["content"][0]["text"]
    assert INJECTION.splitlines()[1] in text
    head, number = re.match(r"(.*)\n<untrusted-([0-9a-f]{16})>\n", text).groups()
    assert "ignore" not in head
    # The one that was recorded cannot know the number of this answer.
    assert text.count(f"</untrusted-{number}>") == 1
    assert text.endswith(f"\n</untrusted-{number}>")
    assert _trusted_text(result["structuredContent"]) == []


def _trusted_text(value: Any, at: str = "") -> list[str]:
    """Where recorded text is outside of `untrusted` keys."""
    if isinstance(value, dict):
        items = [(name, each) for name, each in value.items() if name != "untrusted"]
        return [found for name, each in items for found in _trusted_text(each, f"{at}.{name}")]
    if isinstance(value, list):
        return [found for each in value for found in _trusted_text(each, at)]
    recorded = ("ignore your", "web_search", "Researcher", "weather", "the same call was made")
    return [at] if any(word in str(value) for word in recorded) else []


def test_no_tool_mixes_recorded_text_with_ours(served: Served):
    """In no tool's answer is anything that was recorded outside of keys called `untrusted`."""
    for tool, arguments in calls(served, "fence"):
        assert _trusted_text(served.found(tool, **arguments)) == [], tool
