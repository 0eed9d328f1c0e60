"""Sessions: the sums of their traces."""

from __future__ import annotations

from collections import defaultdict
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from agentguard_storage.filters import parse
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.sessions import get_session, list_sessions
from tests.storage.queries.known_spans import HOSTILE, HOURS, START, Known, known_spans, requests
from tests.storage.telemetry.telemetry_store import make_span, request_of

PROJECT = "prj_sessions"
SPANS = known_spans(7)
ALL = TimeRange(START - timedelta(hours=1), START + timedelta(hours=HOURS + 12))
SECOND = 10**9


@pytest.fixture(scope="module")
def reader(store) -> Reader:
    """Asks about the known sessions, beside which another project has the same and more."""
    store.insert(requests(SPANS), project=PROJECT)
    store.insert(requests([*SPANS, *known_spans(8)]), project="prj_not_sessions")
    return store.reader(PROJECT)


def by_session() -> dict[str, list[Known]]:
    """The known spans of each session."""
    found = defaultdict(list)
    for span in SPANS:
        if span.session:
            found[span.session].append(span)
    return found


def last_end(spans: list[Known]) -> int:
    """When the last of them ended."""
    return max(span.start_ns + span.duration_ns for span in spans)


def test_a_session_has_the_sums_of_its_traces(reader):
    """The latest used comes first; what belongs to no session is not there."""
    rows = list_sessions(reader, ALL).rows
    sessions = by_session()
    assert [row.session for row in rows] == sorted(
        sessions, key=lambda name: last_end(sessions[name]), reverse=True
    )
    assert HOSTILE in sessions
    for row in rows:
        spans = sessions[row.session]
        assert row.users == sorted({span.user for span in spans} - {""})
        assert row.models == sorted({span.model for span in spans} - {""})
        assert row.services == sorted({span.service for span in spans})
        assert row.trace_count == len({span.trace_id for span in spans})
        assert row.stopped_traces == len(
            {span.trace_id for span in spans if span.guard_action == "stop"}
        )
        assert row.span_count == len(spans)
        assert row.error_count == sum(span.status == "error" for span in spans)
        assert row.output_tokens == sum(span.output_tokens for span in spans)
        assert row.cost == sum((span.cost for span in spans if span.cost), Decimal(0))
        assert row.started_at == datetime.fromtimestamp(
            min(span.start_ns for span in spans) // 1_000 / 1e6, UTC
        )


def test_one_session_is_what_the_list_says_of_it(reader):
    """Asked by its name it has the same figures; an unknown one is None."""
    for row in list_sessions(reader, ALL).rows:
        assert get_session(reader, ALL, row.session) == row
    assert get_session(reader, ALL, "' OR 1 = 1 --") is None
    assert get_session(reader, ALL, "") is None


def test_pages_have_every_session_once(store, project):
    """Page by page one sees all of them."""
    at = int(START.timestamp()) * SECOND
    spans = [
        make_span({"session.id": f"s{n}"}, start_time_unix_nano=at + n // 3 * SECOND)
        for n in range(20)
    ]
    for span in spans:
        span.end_time_unix_nano = span.start_time_unix_nano + 1
    store.insert([request_of(*spans)], project=project)
    seen, cursor = [], None
    while True:
        page = list_sessions(store.reader(project), ALL, limit=4, cursor=cursor)
        seen += [row.session for row in page.rows]
        cursor = page.next_cursor
        if cursor is None:
            break
    assert sorted(seen) == sorted(f"s{n}" for n in range(20))


def test_a_trace_that_names_its_session_once_belongs_to_it_whole(store, project):
    """One span is enough to say where a trace of many hours belongs."""
    at = int(START.timestamp()) * SECOND
    trace = {"trace_id": b"s" * 16}
    spans = [make_span({}, start_time_unix_nano=at + n * 3_600 * SECOND, **trace) for n in range(3)]
    said = make_span({"session.id": "mine"}, start_time_unix_nano=at + 5 * SECOND, **trace)
    store.insert([request_of(said, *spans)], project=project)
    [row] = list_sessions(store.reader(project), ALL).rows
    assert (row.session, row.trace_count, row.span_count) == ("mine", 1, 4)
    assert get_session(store.reader(project), ALL, "mine") == row


def test_a_filter_leaves_the_traces_that_match(reader):
    """Sums are over the traces with a span that the filter is true of."""
    found = {row.session: row.trace_count for row in list_sessions(
        reader, ALL, filter=parse("kind:tool status:error")).rows}  # fmt: skip
    expected: dict[str, int] = {}
    for session, spans in by_session().items():
        matching = {s.trace_id for s in spans if s.kind == "tool" and s.status == "error"}
        if matching:
            expected[session] = len(matching)
    assert found == expected != {}


def test_what_cannot_be_asked_is_refused(reader):
    """A wrong limit or cursor is told."""
    for asked in ({"limit": 0}, {"limit": 10**9}, {"cursor": "nonsense"}):
        with pytest.raises(InvalidQuery):
            list_sessions(reader, ALL, **asked)
