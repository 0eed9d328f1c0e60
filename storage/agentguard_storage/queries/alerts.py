"""What somebody on call wants to see: guards that stepped in, and what failed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal, get_args

from agentguard_storage.filters import Filter, span_condition
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import IN_HOURS, STARTED, TimeRange
from agentguard_storage.queries.pages import Page, cursor, position, wanted
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.slices import moment

__all__ = ["ALERT_KINDS", "SEVERITIES", "AlertKind", "AlertRow", "Severity", "list_alerts"]

AlertKind = Literal["guard_stop", "guard_denial", "guard_warning", "guard_failure", "error"]
ALERT_KINDS: Final[tuple[AlertKind, ...]] = get_args(AlertKind)
"""A guard ended a run, refused one operation, warned, or failed itself; a span failed."""

Severity = Literal["critical", "error", "warning"]
SEVERITIES: Final[Mapping[AlertKind, Severity]] = {
    "guard_stop": "critical",
    "guard_denial": "warning",
    "guard_warning": "warning",
    "guard_failure": "error",
    "error": "error",
}

_ACTIONS: Final[Mapping[str, AlertKind]] = {
    "stop": "guard_stop",
    "deny": "guard_denial",
    "warn": "guard_warning",
    "error": "guard_failure",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One alert, at its latest occurrence.

    Each stop of a run is one alert. What else is equal in service, agent, span name (or guard) and
    message is one, that happened `count` times in `trace_count` traces since `first_at`; `trace_id`
    and `span_id` are of the last. `alert_id` is the same whenever it is asked for.
    """

    alert_id: str
    kind: AlertKind
    severity: Severity
    title: str
    reason: str
    at: datetime
    first_at: datetime
    count: int
    trace_count: int
    trace_id: str
    span_id: str
    service: str
    agent: str
    guard: str
    call: str


# A run that is stopped is news each time. An error that a loop made a thousand times is one.
# Attributes are read of guards' spans alone: they are few, and attributes are most of a span.
_PAGE: Final = f"""
SELECT
    alert, of_service, of_agent, of_guard, title, reason, once,
    toUnixTimestamp64Nano(max(start_time)) AS last_ns,
    toUnixTimestamp64Nano(min(start_time)) AS first_seen_ns,
    count() AS times, uniq(trace_id) AS traces,
    argMax((trace_id, span_id), (start_time, trace_id, span_id)) AS latest,
    argMax(call, (start_time, trace_id, span_id)) AS last_call
FROM (
    SELECT
        trace_id, span_id, start_time,
        toString(guard_action) AS alert, toString(service) AS of_service,
        toString(agent) AS of_agent, toString(guard) AS of_guard, toString(name) AS title,
        multiIf(
            status_message != '', status_message,
            stop_reason != '', toString(stop_reason),
            attributes['agentguard.guard.reason']) AS reason,
        attributes['agentguard.guard.call'] AS call,
        if(alert = 'stop', trace_id || span_id, '') AS once
    FROM spans
    WHERE project_id = {{project:String}} AND {IN_HOURS} AND {STARTED}
        AND kind = 'guard' AND guard_action IN {{actions:Array(String)}} AND (%(condition)s)
    UNION ALL
    SELECT
        trace_id, span_id, start_time, 'failed', toString(service), toString(agent), '',
        toString(name), status_message, '', ''
    FROM spans
    WHERE project_id = {{project:String}} AND {IN_HOURS} AND {STARTED}
        AND {{errors:Bool}} AND status = 'error' AND kind != 'guard' AND (%(condition)s))
GROUP BY alert, of_service, of_agent, of_guard, title, reason, once
HAVING %(after)s
ORDER BY last_ns DESC, latest DESC
LIMIT {{limit:UInt32}}
"""
_AFTER: Final = (
    "(last_ns, latest) < ({after_ns:Int64}, ({after_trace:String}, {after_span:String}))"
)


def list_alerts(
    reader: Reader,
    time_range: TimeRange,
    *,
    kinds: Sequence[AlertKind] = ALERT_KINDS,
    filter: Filter | None = None,  # noqa: A002  what users call it
    limit: int = 50,
    cursor: str | None = None,
) -> Page[AlertRow]:
    """Return what went wrong in spans that started in the range and match, the latest first.

    An error that occurs again between two pages moves to the front. Raises InvalidQuery,
    QueryTooLarge, StoreUnavailable.
    """
    wanted(limit)
    if not kinds or not set(kinds).issubset(ALERT_KINDS):
        raise InvalidQuery(f"kinds of alerts are {', '.join(ALERT_KINDS)}", where="kind")
    question = (reader.project_id, "alerts", *sorted(set(kinds)), str(filter or ""))
    after = position(question, cursor, (int, str, str))
    condition = span_condition(filter) if filter is not None else None
    parameters: dict[str, Any] = dict(condition.parameters) if condition else {}
    if after:
        parameters |= dict(zip(("after_ns", "after_trace", "after_span"), after, strict=True))
    statement = _PAGE % {
        "condition": condition.sql if condition else "1",
        "after": _AFTER if after else "1",
    }
    parameters |= time_range.parameters() | {
        "actions": [action for action, kind in _ACTIONS.items() if kind in kinds],
        "errors": "error" in kinds,
        "limit": limit + 1,
    }
    rows = reader.rows(statement, parameters)
    return _page(question, rows, limit)


def _page(question: tuple[object, ...], rows: list[dict[str, Any]], limit: int) -> Page[AlertRow]:
    shown = [_alert(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(shown, None)
    last = rows[limit - 1]
    return Page(shown, cursor(question, (last["last_ns"], *last["latest"])))


_IDENTITY: Final = ("alert", "of_service", "of_agent", "of_guard", "title", "reason", "once")


def _alert(row: Mapping[str, Any]) -> AlertRow:
    kind = _ACTIONS.get(row["alert"], "error")
    identity = "\0".join(row[name] for name in _IDENTITY)
    trace_id, span_id = row["latest"]
    return AlertRow(
        alert_id=hashlib.blake2b(identity.encode(), digest_size=8).hexdigest(),
        kind=kind,
        severity=SEVERITIES[kind],
        title=row["title"],
        reason=row["reason"],
        at=moment(row["last_ns"]),
        first_at=moment(row["first_seen_ns"]),
        count=row["times"],
        trace_count=row["traces"],
        trace_id=trace_id,
        span_id=span_id,
        service=row["of_service"],
        agent=row["of_agent"],
        guard=row["of_guard"],
        call=row["last_call"],
    )
