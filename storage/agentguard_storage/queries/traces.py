"""Lists of traces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal, get_args

from agentguard_storage.filters import Filter, trace_condition
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import IN_HOURS, TimeRange
from agentguard_storage.queries.measures import amount
from agentguard_storage.queries.pages import Page, cursor, position, wanted
from agentguard_storage.queries.reader import Reader, portions
from agentguard_storage.queries.slices import (
    LONGEST_TRACE,
    before,
    moment,
    newest_first,
    slice_parameters,
)

__all__ = ["TRACE_ORDERS", "TraceOrder", "TraceRow", "list_traces"]

TraceOrder = Literal["started_at", "cost", "duration", "spans", "errors"]
TRACE_ORDERS: Final[tuple[TraceOrder, ...]] = get_args(TraceOrder)


@dataclass(frozen=True, slots=True, kw_only=True)
class TraceRow:
    """One trace: counts and sums over its spans, money in US dollars.

    `root_name` is that of its earliest span until the root has come, `service` that of its
    earliest span. `cost` is None where none of its model calls has a known price; what has none
    is counted in `unpriced_calls`. `guard` and `stop_reason` are empty unless a guard stopped it.
    """

    trace_id: str
    root_name: str
    service: str
    services: list[str]
    environment: str
    session: str
    user: str
    started_at: datetime
    duration_ns: int
    span_count: int
    error_count: int
    llm_calls: int
    tool_calls: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal | None
    unpriced_calls: int
    models: list[str]
    agents: list[str]
    guard: str
    stop_reason: str


_SUMS: Final = (
    "span_count", "error_count", "llm_calls", "tool_calls", "input_tokens", "cache_read_tokens",
    "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost", "unpriced_calls",
)  # fmt: skip
_SETS: Final = ("services", "models", "agents")
_ONES: Final = ("environment", "session", "user", "stop_reason")

_BEGAN: Final = "toUnixTimestamp64Nano(min(t.start_time))"
_TOOK: Final = f"greatest(toUnixTimestamp64Nano(max(t.end_time)) - {_BEGAN}, 0)"
_ORDERS: Final[Mapping[TraceOrder, str]] = {
    "started_at": _BEGAN,
    "cost": "reinterpretAsInt128(sum(t.cost))",
    "duration": _TOOK,
    "spans": "sum(t.span_count)",
    "errors": "sum(t.error_count)",
}

# A trace has a row for each of its hours. It is listed where it began: those that began in the
# hours before are seen, and left out.
_FOUND: Final = f"""
SELECT trace_id, {_BEGAN} AS start_ns, toInt128(%(order)s) AS sort_key
FROM traces AS t
WHERE project_id = {{project:String}}
    AND ts_hour BETWEEN toDateTime({{before_hour:UInt32}}) AND toDateTime({{%(upto)s:UInt32}})
    AND (%(condition)s)
GROUP BY trace_id
HAVING {_BEGAN} BETWEEN {{first_ns:Int64}} AND {{last_ns:Int64}} AND %(after)s
ORDER BY sort_key DESC, trace_id DESC
LIMIT {{limit:UInt32}}
"""
# What is shown of a trace is much to work out, so it is asked once, for those that are shown.
_SHOWN: Final = f"""
SELECT
    trace_id,
    if(max(t.root_name) != '', max(t.root_name), min(t.first_span).2) AS root_name,
    min(t.first_span).3 AS service,
    {_BEGAN} AS start_ns,
    {_TOOK} AS duration_ns,
    {", ".join(f"sum(t.{name}) AS {name}" for name in _SUMS)},
    {", ".join(f"arraySort(groupUniqArrayArray(t.{name})) AS {name}" for name in _SETS)},
    {", ".join(f"max(t.{name}) AS {name}" for name in _ONES)},
    max(t.stopped_by).2 AS guard
FROM traces AS t
WHERE project_id = {{project:String}} AND {IN_HOURS} AND trace_id IN {{traces:Array(String)}}
GROUP BY trace_id
"""
_AFTER: Final = "(toInt128(%s), trace_id) < ({after_key:Int128}, {after_trace:String})"


def list_traces(
    reader: Reader,
    time_range: TimeRange,
    *,
    filter: Filter | None = None,  # noqa: A002  what users call it
    order: TraceOrder = "started_at",
    limit: int = 50,
    cursor: str | None = None,
) -> Page[TraceRow]:
    """Return the traces that started in the range and match the filter, the newest first.

    Other orders have the most first: cost, duration, spans, errors. A cursor goes on where the
    last page ended, whatever has arrived since; the range may have been moved on meanwhile. A
    pause of more than `LONGEST_TRACE` within a trace divides it.

    Raises InvalidQuery, QueryTooLarge, StoreUnavailable.
    """
    wanted(limit)
    if order not in _ORDERS:
        raise InvalidQuery(f"traces are ordered by {', '.join(TRACE_ORDERS)}", where="order")
    question = (reader.project_id, "traces", order, str(filter or ""))
    after = position(question, cursor, (int, str))
    found = _found(reader, time_range, filter, order, after, limit + 1)
    return Page(_shown(reader, found[:limit]), _next(question, found, limit))


def _next(question: Sequence[object], found: list[dict[str, Any]], limit: int) -> str | None:
    if len(found) <= limit:
        return None
    return cursor(question, (found[limit - 1]["sort_key"], found[limit - 1]["trace_id"]))


def _found(
    reader: Reader,
    time_range: TimeRange,
    filter: Filter | None,  # noqa: A002
    order: TraceOrder,
    after: Sequence[int | str] | None,
    most: int,
) -> list[dict[str, Any]]:
    condition = trace_condition(filter) if filter is not None else None
    statement = _FOUND % {
        "order": _ORDERS[order],
        "condition": condition.sql if condition else "1",
        "upto": "slice_to" if order == "started_at" else "to_hour",
        "after": _AFTER % _ORDERS[order] if after else "1",
    }
    parameters: dict[str, Any] = dict(condition.parameters) if condition else {}
    if after:
        parameters |= {"after_key": after[0], "after_trace": after[1]}

    def ask(part: TimeRange, missing: int) -> list[dict[str, Any]]:
        hours = slice_parameters(part, later=LONGEST_TRACE)
        hours["before_hour"] = part.parameters(LONGEST_TRACE)["from_hour"]
        return reader.rows(statement, {**parameters, **hours, "limit": missing})

    if order != "started_at":
        return ask(time_range, most)
    rest = before(time_range, int(after[0])) if after else time_range
    return newest_first(rest, most, ask) if rest else []


def _shown(reader: Reader, found: Sequence[Mapping[str, Any]]) -> list[TraceRow]:
    """Return the rows of traces that were found, in their order."""
    if not found:
        return []
    rows = {
        row["trace_id"]: row
        for some in portions(found)
        for row in reader.rows(_SHOWN, _of_traces(some))
    }
    # What has been deleted since is left out.
    shown = [rows[each["trace_id"]] for each in found if each["trace_id"] in rows]
    return [_trace_row(row) for row in shown]


def _of_traces(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The parameters of a statement about these traces, from their start on."""
    started = [row["start_ns"] for row in rows]
    hours = TimeRange(moment(min(started)), moment(max(started) + 1_000))
    found = slice_parameters(hours, later=LONGEST_TRACE)
    return {**found, "traces": [row["trace_id"] for row in rows]}


def _trace_row(row: Mapping[str, Any]) -> TraceRow:
    values = dict(row)
    values["started_at"] = moment(values.pop("start_ns"))
    values["cost"] = amount(values["cost"], values["unpriced_calls"])
    return TraceRow(**values)
