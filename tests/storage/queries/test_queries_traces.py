"""Lists of traces: every one once, in order, whatever the page."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentguard_storage.filters import parse
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.traces import TRACE_ORDERS, TraceRow, list_traces
from tests.storage.queries.known_spans import HOSTILE, HOURS, START, Known, known_spans, requests
from tests.storage.telemetry.telemetry_store import make_span, request_of

PROJECT = "prj_listed_traces"
SPANS = known_spans(3)
ALL = TimeRange(START - timedelta(hours=1), START + timedelta(hours=HOURS + 12))
EVER = TimeRange(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
SECOND = 10**9


@pytest.fixture(scope="module")
def reader(store) -> Reader:
    """Asks about the known traces, beside which another project has the same and more."""
    store.insert(requests(SPANS[::2]), project=PROJECT)
    store.insert(requests(SPANS[1::2]), project=PROJECT)
    store.insert(requests([*SPANS, *known_spans(4)]), project="prj_not_listed_traces")
    return store.reader(PROJECT)


def by_trace() -> dict[str, list[Known]]:
    """The known spans of each trace."""
    found = defaultdict(list)
    for span in SPANS:
        found[span.trace_id].append(span)
    return found


def began(spans: list[Known]) -> int:
    """When a trace began."""
    return min(span.start_ns for span in spans)


def walk(reader: Reader, time_range: TimeRange, size: int, **asked: object) -> list[TraceRow]:
    """All pages, one after the other."""
    rows, cursor = [], None
    while True:
        page = list_traces(reader, time_range, limit=size, cursor=cursor, **asked)
        assert len(page.rows) <= size
        rows += page.rows
        cursor = page.next_cursor
        if cursor is None:
            return rows
        assert len(page.rows) == size


def test_a_row_has_the_sums_of_its_spans(reader):
    """Counts, tokens and money are those of the trace's spans, in however many hours they are."""
    rows = list_traces(reader, ALL, limit=1_000).rows
    traces = by_trace()
    assert [row.trace_id for row in rows] == sorted(
        traces, key=lambda trace: (began(traces[trace]), trace), reverse=True
    )
    for row in rows:
        spans = traces[row.trace_id]
        first = min(spans, key=lambda span: span.start_ns)
        end = max(span.start_ns + span.duration_ns for span in spans)
        assert row.root_name == next(s.name for s in spans if not s.parent_span_id)
        assert (row.service, row.services) == (first.service, [first.service])
        assert row.session == max(span.session for span in spans)
        assert row.user == max(span.user for span in spans)
        assert row.duration_ns == end - first.start_ns
        assert row.started_at == datetime.fromtimestamp(first.start_ns // SECOND, UTC) + timedelta(
            microseconds=first.start_ns % SECOND // 1_000
        )
        assert row.span_count == len(spans)
        assert row.error_count == sum(span.status == "error" for span in spans)
        assert row.llm_calls == sum(span.kind == "llm" for span in spans)
        assert row.tool_calls == sum(span.kind == "tool" for span in spans)
        assert row.input_tokens == sum(span.input_tokens for span in spans)
        assert row.cache_read_tokens == sum(span.cache_read_tokens for span in spans)
        assert row.output_tokens == sum(span.output_tokens for span in spans)
        assert row.unpriced_calls == sum(span.unpriced for span in spans)
        cost = sum((span.cost for span in spans if span.cost is not None), Decimal(0))
        assert row.cost == (None if row.unpriced_calls and not cost else cost)
        assert row.models == sorted({span.model for span in spans} - {""})
        assert row.agents == sorted({span.agent for span in spans} - {""})
        stops = [span for span in spans if span.guard_action == "stop"]
        assert row.stop_reason == max((span.stop_reason for span in stops), default="")
        assert row.guard == (max(stops, key=lambda span: span.start_ns).guard if stops else "")


@settings(deadline=None, max_examples=15)
@given(
    size=st.integers(1, 70),
    order=st.sampled_from(TRACE_ORDERS),
    start=st.integers(-1, HOURS),
    length=st.integers(1, HOURS + 12),
    filtered=st.sampled_from(["", "kind:llm", "trace.spans:>3 -status:error"]),
)
def test_pages_of_any_size_have_every_trace_once(reader, size, order, start, length, filtered):
    """Page by page one sees what one long page shows, in every order."""
    first = START + timedelta(hours=start)
    asked = {"order": order, "filter": parse(filtered)}
    during = TimeRange(first, first + timedelta(hours=length))
    whole = list_traces(reader, during, limit=1_000, **asked).rows
    assert walk(reader, during, size, **asked) == whole
    if not filtered:
        traces = by_trace()
        inside = {
            trace
            for trace, spans in traces.items()
            if during.start.timestamp() * SECOND <= began(spans) < during.end.timestamp() * SECOND
        }
        assert {row.trace_id for row in whole} == inside


@pytest.mark.parametrize(
    ("order", "key"),
    [
        ("cost", lambda row: row.cost or Decimal(0)),
        ("duration", lambda row: row.duration_ns),
        ("spans", lambda row: row.span_count),
        ("errors", lambda row: row.error_count),
        ("started_at", lambda row: row.started_at),
    ],
)
def test_the_most_come_first(reader, order, key):
    """Each order is by what it says."""
    rows = list_traces(reader, ALL, order=order, limit=1_000).rows
    assert len(rows) == len(by_trace())
    assert [key(row) for row in rows] == sorted(map(key, rows), reverse=True)


def test_all_of_time_is_a_range_too(reader):
    """From the first year to the last, and none is missed."""
    assert len(list_traces(reader, EVER, limit=1_000).rows) == len(by_trace())


def test_traces_that_arrive_meanwhile_disturb_no_page(store, project):
    """Newer and older ones come in between two pages: nothing is repeated, nothing missed."""

    def send(*minutes: int) -> None:
        at = int(START.timestamp()) * SECOND
        spans = [
            make_span(name=str(minute), start_time_unix_nano=at + minute * 60 * SECOND)
            for minute in minutes
        ]
        store.insert([request_of(*spans)], project=project)

    reader = store.reader(project)
    send(*range(100, 120))
    first = list_traces(reader, ALL, limit=10)
    send(*range(200, 220), *range(20))
    now = TimeRange(ALL.start, ALL.end + timedelta(minutes=5))
    rest = list_traces(reader, now, limit=1_000, cursor=first.next_cursor).rows
    assert [int(row.root_name) for row in (*first.rows, *rest)] == [
        *reversed(range(100, 120)),
        *reversed(range(20)),
    ]


def test_a_filter_holds_for_one_span_of_a_trace(reader):
    """Conditions are of one span together; those on the whole trace are of the whole."""
    found = list_traces(
        reader, ALL, filter=parse("kind:tool status:error trace.llm_calls:>1"), limit=1_000
    ).rows
    expected = {
        trace
        for trace, spans in by_trace().items()
        if any(span.kind == "tool" and span.status == "error" for span in spans)
        and sum(span.kind == "llm" for span in spans) > 1
    }
    assert {row.trace_id for row in found} == expected != set()


def test_hostile_text_is_only_text(reader):
    """A name like a statement is found by its letters."""
    quoted = HOSTILE.replace("\\", "\\\\").replace('"', '\\"')
    found = list_traces(reader, ALL, filter=parse(f'trace.name:"{quoted}"'), limit=1_000).rows
    assert {row.root_name for row in found} == {HOSTILE}


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"limit": 0}, "limit"),
        ({"limit": 10**9}, "limit"),
        ({"order": "1; DROP TABLE traces"}, "order"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "'; --"}, "cursor"),
        ({"cursor": "A" * 5_000}, "cursor"),
    ],
)
def test_what_cannot_be_asked_is_refused(reader, asked, where):
    """A wrong limit, order or cursor is told, with the parameter that has it."""
    with pytest.raises(InvalidQuery) as refused:
        list_traces(reader, ALL, **asked)
    assert refused.value.where == where


def test_a_cursor_is_good_for_its_own_question(reader, store):
    """Neither another order, nor another filter, nor another project takes it."""
    cursor = list_traces(reader, ALL, limit=2).next_cursor
    for other, asked in (
        (reader, {"order": "cost"}),
        (reader, {"filter": parse("kind:llm")}),
        (store.reader("prj_not_listed_traces"), {}),
    ):
        with pytest.raises(InvalidQuery, match="does not belong"):
            list_traces(other, ALL, cursor=cursor, **asked)
