"""Sessions: the traces of one conversation or task together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from agentguard_storage.filters import Filter, trace_condition
from agentguard_storage.queries.hours import IN_HOURS, TimeRange
from agentguard_storage.queries.measures import TOKENS, amount
from agentguard_storage.queries.pages import Page, cursor, position, wanted
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.slices import LONGEST_TRACE, moment

__all__ = ["SessionRow", "get_session", "list_sessions"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionRow:
    """One session: sums over its traces of the range, money in US dollars.

    `started_at` is when its first trace began, `last_at` when its last span ended. `cost` is None
    where none of its model calls has a known price; `stopped_traces` were stopped by a guard.
    """

    session: str
    users: list[str]
    agents: list[str]
    models: list[str]
    services: list[str]
    started_at: datetime
    last_at: datetime
    trace_count: int
    span_count: int
    error_count: int
    stopped_traces: int
    llm_calls: int
    tool_calls: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal | None
    unpriced_calls: int


_SUMS: Final = (
    "span_count", "error_count", "llm_calls", "tool_calls", *TOKENS, "cost", "unpriced_calls",
)  # fmt: skip
_SETS: Final = ("agents", "models", "services")

# Spans of a trace may leave their session unsaid: it is the trace that belongs to one.
_PAGE: Final = f"""
SELECT
    in_session AS session,
    arraySort(groupUniqArrayIf(in_user, in_user != '')) AS users,
    {", ".join(f"arraySort(groupUniqArrayArray(any_{name})) AS {name}" for name in _SETS)},
    min(began) AS start_ns, max(ended) AS last_ns,
    count() AS trace_count, countIf(stopped != '') AS stopped_traces,
    {", ".join(f"sum(all_{name}) AS {name}" for name in _SUMS)}
FROM (
    SELECT
        trace_id, max(t.session) AS in_session, max(t.user) AS in_user,
        max(t.stop_reason) AS stopped,
        toUnixTimestamp64Nano(min(t.start_time)) AS began,
        toUnixTimestamp64Nano(max(t.end_time)) AS ended,
        {", ".join(f"groupUniqArrayArray(t.{name}) AS any_{name}" for name in _SETS)},
        {", ".join(f"sum(t.{name}) AS all_{name}" for name in _SUMS)}
    FROM traces AS t
    WHERE project_id = {{project:String}} AND {IN_HOURS} AND (%(condition)s)
    GROUP BY trace_id
    HAVING in_session != '' AND began BETWEEN {{first_ns:Int64}} AND {{last_ns:Int64}}
        AND ({{session:String}} = '' OR in_session = {{session:String}}))
GROUP BY in_session
HAVING %(after)s
ORDER BY last_ns DESC, session DESC
LIMIT {{limit:UInt32}}
"""
_AFTER: Final = "(last_ns, session) < ({after_ns:Int64}, {after_session:String})"


def list_sessions(
    reader: Reader,
    time_range: TimeRange,
    *,
    filter: Filter | None = None,  # noqa: A002  what users call it
    limit: int = 50,
    cursor: str | None = None,
) -> Page[SessionRow]:
    """Return the sessions with traces that began in the range and match, the latest used first.

    What is summed up are those traces. A session that is used again between two pages moves to
    the front. Raises InvalidQuery, QueryTooLarge, StoreUnavailable.
    """
    wanted(limit)
    question = (reader.project_id, "sessions", str(filter or ""))
    after = position(question, cursor, (int, str))
    condition = trace_condition(filter) if filter is not None else None
    parameters: dict[str, Any] = dict(condition.parameters) if condition else {}
    if after:
        parameters |= {"after_ns": after[0], "after_session": after[1]}
    statement = _PAGE % {
        "condition": condition.sql if condition else "1",
        "after": _AFTER if after else "1",
    }
    hours = time_range.parameters(LONGEST_TRACE)
    parameters |= {**hours, "session": "", "limit": limit + 1}
    rows = reader.rows(statement, parameters)
    return _page(question, rows, limit)


def get_session(reader: Reader, time_range: TimeRange, session: str) -> SessionRow | None:
    """Return one session, summed over its traces of the range; None if there are none.

    Its traces are listed by `list_traces` with a filter. Raises QueryTooLarge, StoreUnavailable.
    """
    if not session:
        return None
    parameters = {**time_range.parameters(LONGEST_TRACE), "session": session, "limit": 1}
    rows = reader.rows(_ONE, parameters)
    return _session_row(rows[0]) if rows else None


_ONE: Final = _PAGE % {
    "after": "1",
    "condition": "trace_id IN (SELECT trace_id FROM traces WHERE project_id = {project:String}"
    f" AND {IN_HOURS} AND session = {{session:String}})",
}


def _page(question: tuple[object, ...], rows: list[dict[str, Any]], limit: int) -> Page[SessionRow]:
    shown = [_session_row(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(shown, None)
    last = rows[limit - 1]
    return Page(shown, cursor(question, (last["last_ns"], last["session"])))


def _session_row(row: Mapping[str, Any]) -> SessionRow:
    values = dict(row)
    values["started_at"] = moment(values.pop("start_ns"))
    values["last_at"] = moment(values.pop("last_ns"))
    values["cost"] = amount(values["cost"], values["unpriced_calls"])
    return SessionRow(**values)
