"""Alerts: what guards did, and what failed."""

from __future__ import annotations

from collections import defaultdict
from datetime import timedelta

import pytest

from agentguard_storage.filters import parse
from agentguard_storage.queries.alerts import ALERT_KINDS, SEVERITIES, AlertRow, list_alerts
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.reader import Reader
from tests.storage.queries.known_spans import HOURS, START, Known, known_spans, requests
from tests.storage.telemetry.telemetry_store import make_span, request_of

PROJECT = "prj_alerts"
SPANS = known_spans(9)
ALL = TimeRange(START - timedelta(hours=1), START + timedelta(hours=HOURS + 12))
SECOND = 10**9
KINDS = {"stop": "guard_stop", "warn": "guard_warning"}


@pytest.fixture(scope="module")
def reader(store) -> Reader:
    """Asks about the known spans, beside which another project has the same and more."""
    store.insert(requests(SPANS), project=PROJECT)
    store.insert(requests([*SPANS, *known_spans(10)]), project="prj_no_alerts")
    return store.reader(PROJECT)


def expected() -> dict[tuple[str, ...], list[Known]]:
    """The spans behind each alert, by what makes them one."""
    found = defaultdict(list)
    for span in SPANS:
        if span.kind == "guard":
            reason = span.status_message or span.stop_reason
            once = span.span_id if span.guard_action == "stop" else ""
            key = (KINDS[span.guard_action], span.guard, reason, once)
        elif span.status == "error":
            key = ("error", "", span.status_message, "")
        else:
            continue
        found[*key, span.service, span.agent, span.name].append(span)
    return found


def walk(reader: Reader, size: int, **asked: object) -> list[AlertRow]:
    """All pages, one after the other."""
    rows, cursor = [], None
    while True:
        page = list_alerts(reader, ALL, limit=size, cursor=cursor, **asked)
        rows += page.rows
        cursor = page.next_cursor
        if cursor is None:
            return rows


def test_stops_are_one_each_and_equal_errors_are_one(reader):
    """Each alert has the number of its spans and traces, and is where it last happened."""
    groups = expected()
    rows = list_alerts(reader, ALL, limit=1_000).rows
    assert len(rows) == len(groups)
    assert [row.at for row in rows] == sorted((row.at for row in rows), reverse=True)
    for row in rows:
        once = row.span_id if row.kind == "guard_stop" else ""
        spans = groups[row.kind, row.guard, row.reason, once, row.service, row.agent, row.title]
        last = max(spans, key=lambda span: (span.start_ns, span.trace_id, span.span_id))
        assert (row.trace_id, row.span_id) == (last.trace_id, last.span_id)
        assert row.count == len(spans)
        assert row.trace_count == len({span.trace_id for span in spans})
        assert row.severity == SEVERITIES[row.kind]
        assert row.first_at <= row.at


@pytest.mark.parametrize("size", [1, 3, 50])
def test_pages_have_every_alert_once(reader, size):
    """Page by page one sees what one long page shows."""
    whole = list_alerts(reader, ALL, limit=1_000).rows
    shown = walk(reader, size)
    assert shown == whole
    assert len({row.alert_id for row in shown}) == len(shown)


def test_kinds_are_asked_for(reader):
    """One may see the stops alone, or the errors alone."""
    everything = list_alerts(reader, ALL, limit=1_000).rows
    for kind in ALERT_KINDS:
        assert walk(reader, 20, kinds=[kind]) == [row for row in everything if row.kind == kind]


def test_a_filter_leaves_what_matches(reader):
    """Alerts are of spans that the filter is true of."""
    found = list_alerts(reader, ALL, filter=parse("service:writer kind:tool"), limit=1_000).rows
    assert {row.kind for row in found} == {"error"}
    assert sum(row.count for row in found) == sum(
        span.service == "writer" and span.kind == "tool" and span.status == "error"
        for span in SPANS
    )


def test_a_long_reason_is_shown_whole(store, project):
    """A reason that is long enough to be kept elsewhere is still the alert's reason."""
    reason = "the run asked the very same thing again and again, " * 5
    span = make_span(
        {
            "gen_ai.operation.name": "guard",
            "agentguard.guard.name": "loop",
            "agentguard.guard.action": "stop",
            "agentguard.stop.reason": reason,
            "agentguard.guard.call": "search",
        },
        name="guard loop",
        start_time_unix_nano=int(START.timestamp()) * SECOND,
    )
    store.insert([request_of(span)], project=project)
    [row] = list_alerts(store.reader(project), ALL).rows
    assert (row.reason, row.guard, row.call, row.title) == (reason, "loop", "search", "guard loop")


def test_what_cannot_be_asked_is_refused(reader):
    """A wrong limit, kind or cursor is told."""
    for asked in (
        {"limit": 0}, {"limit": 10**9}, {"cursor": "nonsense"}, {"kinds": []},
        {"kinds": ["'; DROP TABLE spans"]},
    ):  # fmt: skip
        with pytest.raises(InvalidQuery):
            list_alerts(reader, ALL, **asked)
