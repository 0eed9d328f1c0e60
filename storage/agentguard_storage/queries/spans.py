"""Lists of spans, without what they carried."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final, Literal

from agentguard_storage.filters import Filter, span_condition
from agentguard_storage.queries.hours import STARTED, TimeRange
from agentguard_storage.queries.pages import Page, cursor, position, wanted
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.slices import (
    IN_SLICE,
    LONGEST_TRACE,
    before,
    moment,
    newest_first,
    slice_parameters,
)
from agentguard_storage.queries.span_rows import SpanKind

__all__ = ["SpanSummary", "list_spans"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanSummary:
    """One span, without its contents.

    Ids are lowercase hex, times Unix nanoseconds, money US dollars. The five token counts are
    disjoint. Cost is None where no price is known, `cost_source` then says `unpriced`.
    """

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: SpanKind
    status: Literal["unset", "ok", "error"]
    status_message: str
    started_at: datetime
    start_time_ns: int
    end_time_ns: int
    duration_ns: int
    service: str
    environment: str
    session: str
    user: str
    agent: str
    tool: str
    provider: str
    model: str
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal | None
    cost_source: str
    guard: str
    guard_action: str
    stop_reason: str


_AS_THEY_ARE: Final = (
    "trace_id", "span_id", "parent_span_id", "status_message", "session", "user", "input_tokens",
    "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost",
)  # fmt: skip
_AS_TEXT: Final = (
    "name", "kind", "status", "service", "environment", "agent", "tool", "provider", "model",
    "cost_source", "guard", "guard_action", "stop_reason",
)  # fmt: skip

# No column is named again, so that a filter means the column and not what is made of it here.
_PAGE: Final = f"""
SELECT
    {", ".join(_AS_THEY_ARE)},
    {", ".join(f"toString(spans.{name}) AS the_{name}" for name in _AS_TEXT)},
    toUnixTimestamp64Nano(start_time) AS start_ns, toUnixTimestamp64Nano(end_time) AS end_ns
FROM spans
WHERE project_id = {{project:String}} AND {IN_SLICE} AND {STARTED} AND (%s) AND %s
ORDER BY start_time DESC, trace_id DESC, span_id DESC
LIMIT {{limit:UInt32}}
"""
_AFTER: Final = (
    "(toUnixTimestamp64Nano(start_time), trace_id, span_id)"
    " < ({after_ns:Int64}, {after_trace:String}, {after_span:String})"
)


def list_spans(
    reader: Reader,
    time_range: TimeRange,
    *,
    filter: Filter | None = None,  # noqa: A002  what users call it
    limit: int = 50,
    cursor: str | None = None,
) -> Page[SpanSummary]:
    """Return the spans that started in the range and match the filter, newest first.

    A cursor goes on where the last page ended, whatever has arrived since; the range may have
    been moved on meanwhile. Raises InvalidQuery, QueryTooLarge, StoreUnavailable.
    """
    wanted(limit)
    question = (reader.project_id, "spans", str(filter or ""))
    after = position(question, cursor, (int, str, str))
    condition = span_condition(filter) if filter else None
    parameters = dict(condition.parameters) if condition else {}
    rest: TimeRange | None = time_range
    if after:
        parameters |= dict(zip(("after_ns", "after_trace", "after_span"), after, strict=True))
        rest = before(time_range, int(after[0]))
    statement = _PAGE % (condition.sql if condition else "1", _AFTER if after else "1")

    def ask(part: TimeRange, missing: int) -> list[dict[str, Any]]:
        hours = slice_parameters(part, LONGEST_TRACE, LONGEST_TRACE)
        return reader.rows(statement, {**parameters, **hours, "limit": missing})

    rows = newest_first(rest, limit + 1, ask) if rest else []
    return _page(question, rows, limit)


def _page(
    question: tuple[object, ...], rows: list[dict[str, Any]], limit: int
) -> Page[SpanSummary]:
    shown = [_summary(row) for row in rows[:limit]]
    if len(rows) <= limit:
        return Page(shown, None)
    last = rows[limit - 1]
    return Page(shown, cursor(question, (last["start_ns"], last["trace_id"], last["span_id"])))


def _summary(row: Mapping[str, Any]) -> SpanSummary:
    start, end = row["start_ns"], row["end_ns"]
    return SpanSummary(
        **{name: row[name] for name in _AS_THEY_ARE},
        **{name: row[f"the_{name}"] for name in _AS_TEXT},
        started_at=moment(start),
        start_time_ns=start % 2**64,
        end_time_ns=end % 2**64,
        duration_ns=max(end - start, 0),
    )
