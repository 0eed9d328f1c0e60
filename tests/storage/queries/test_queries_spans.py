"""Lists of spans: every one once, newest first, and with what it said."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentguard_storage.filters import parse
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.spans import SpanSummary, list_spans
from tests.storage.queries.known_spans import HOURS, START, Known, known_spans, requests
from tests.storage.telemetry.telemetry_store import make_span, request_of

PROJECT = "prj_listed_spans"
SPANS = known_spans(5)
ALL = TimeRange(START - timedelta(hours=1), START + timedelta(hours=HOURS + 12))
SECOND = 10**9
PLAIN = (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "status", "status_message",
    "duration_ns", "service", "environment", "session", "user", "agent", "tool", "provider",
    "model", "input_tokens", "cache_read_tokens", "output_tokens", "cost", "guard",
    "guard_action", "stop_reason",
)  # fmt: skip


@pytest.fixture(scope="module")
def reader(store) -> Reader:
    """Asks about the known spans, beside which another project has the same and more."""
    store.insert(requests(SPANS), project=PROJECT)
    store.insert(requests([*SPANS, *known_spans(6)]), project="prj_not_listed_spans")
    return store.reader(PROJECT)


def newest_first(spans: list[Known]) -> list[Known]:
    """In the order of the list."""
    return sorted(spans, key=lambda s: (s.start_ns, s.trace_id, s.span_id), reverse=True)


def walk(reader: Reader, time_range: TimeRange, size: int, filtered: str) -> list[SpanSummary]:
    """All pages, one after the other."""
    rows, cursor = [], None
    while True:
        page = list_spans(reader, time_range, filter=parse(filtered), limit=size, cursor=cursor)
        rows += page.rows
        cursor = page.next_cursor
        if cursor is None:
            return rows
        assert len(page.rows) == size


def test_a_row_says_what_the_span_said(reader):
    """Every column is the span's, letter by letter."""
    rows = list_spans(reader, ALL, limit=1_000).rows
    for row, span in zip(rows, newest_first(SPANS), strict=True):
        assert {name: getattr(row, name) for name in PLAIN} == {
            name: getattr(span, name) for name in PLAIN
        }
        assert (row.start_time_ns, row.end_time_ns) == (
            span.start_ns,
            span.start_ns + span.duration_ns,
        )
        assert (row.cost_source == "unpriced") == span.unpriced


@settings(deadline=None, max_examples=15)
@given(
    size=st.integers(20, 400),
    start=st.integers(-1, HOURS),
    length=st.integers(1, HOURS + 12),
    filtered=st.sampled_from(["", "kind:llm", "status:error -service:crawler"]),
)
def test_pages_of_any_size_have_every_span_once(reader, size, start, length, filtered):
    """Page by page one sees what matches in the range, each span once, newest first."""
    keep = {
        "": lambda _: True,
        "kind:llm": lambda span: span.kind == "llm",
        "status:error -service:crawler": lambda span: (
            span.status == "error" and span.service != "crawler"
        ),
    }[filtered]
    first = START + timedelta(hours=start)
    during = TimeRange(first, first + timedelta(hours=length))
    inside = [
        span
        for span in SPANS
        if keep(span)
        and during.start.timestamp() <= span.start_ns / SECOND < during.end.timestamp()
    ]
    shown = walk(reader, during, size, filtered)
    assert [row.span_id for row in shown] == [span.span_id for span in newest_first(inside)]


def test_spans_of_the_same_nanosecond_are_all_shown(store, project):
    """Where times are equal the ids decide, so that a page may end between two of them."""
    at = int(START.timestamp()) * SECOND
    sent = [make_span(start_time_unix_nano=at, trace_id=b"t" * 16) for _ in range(7)]
    store.insert([request_of(*sent)], project=project)
    shown = walk(store.reader(project), ALL, 2, "")
    assert {row.span_id for row in shown} == {span.span_id.hex() for span in sent}
    assert len(shown) == 7


def test_a_relation_reaches_into_other_hours(store, project):
    """What is asked of a span's ancestors is asked of those that began in an earlier hour too."""
    at = int(START.timestamp()) * SECOND
    agent = make_span(
        {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Planner"},
        start_time_unix_nano=at,
    )
    tool = make_span(
        {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"},
        trace_id=agent.trace_id,
        parent_span_id=agent.span_id,
        start_time_unix_nano=at + 5 * 3_600 * SECOND,
    )
    store.insert([request_of(agent, tool)], project=project)
    found = list_spans(store.reader(project), ALL, filter=parse("tool:search < agent:Planner"))
    assert [row.span_id for row in found.rows] == [tool.span_id.hex()]


@pytest.mark.parametrize(
    ("asked", "where"),
    [({"limit": 0}, "limit"), ({"limit": 10**9}, "limit"), ({"cursor": "e30"}, "cursor")],
)
def test_what_cannot_be_asked_is_refused(reader, asked, where):
    """A wrong limit or cursor is told, with the parameter that has it."""
    with pytest.raises(InvalidQuery) as refused:
        list_spans(reader, ALL, **asked)
    assert refused.value.where == where
