"""What was spent, month by month and by what it was spent on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from agentguard_storage.filters import Filter
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.intervals import month_of, zone
from agentguard_storage.queries.measures import TOKENS
from agentguard_storage.queries.metrics import MeasuredRow, measure
from agentguard_storage.queries.reader import Reader

__all__ = ["MOST_MONTHS", "CostRow", "MonthCost", "by_model", "costs_by", "monthly"]

MOST_MONTHS: Final = 13
"""A year, and the month of the year before."""

_MEASURES: Final = ("cost", "unpriced_calls", "model_calls", "tokens", *TOKENS)


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRow:
    """What one group of spans cost, in US dollars.

    `group` has a value for each dimension, and is None for all groups beyond the limit together.
    `cost` is None where no call has a known price; calls without one are `unpriced_calls` of the
    `calls` to models, and not in the cost.
    """

    group: tuple[str, ...] | None
    cost: Decimal | None
    calls: int
    unpriced_calls: int
    tokens: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthCost:
    """What one calendar month cost; `month` is as `2026-01`, the last one is not over yet."""

    month: str
    starts_at: datetime
    ends_at: datetime
    cost: Decimal | None
    calls: int
    unpriced_calls: int
    tokens: int


def monthly(
    reader: Reader, *, now: datetime, months: int = 6, timezone: str = "UTC"
) -> list[MonthCost]:
    """Return what the last calendar months of a time zone cost, that of `now` last.

    Raises InvalidQuery, QueryTooLarge, StoreUnavailable.
    """
    if not 1 <= months <= MOST_MONTHS:
        raise InvalidQuery(f"months are from 1 to {MOST_MONTHS}", where="months")
    of_zone = zone(timezone)
    asked = [month_of(of_zone, now, back) for back in reversed(range(months))]
    found = measure(
        reader,
        TimeRange(asked[0].start, asked[-1].end),
        measures=_MEASURES,
        interval="month",
        timezone=timezone,
    )
    return [_month(month, row, of_zone) for month, row in zip(asked, found.rows, strict=True)]


def costs_by(
    reader: Reader,
    time_range: TimeRange,
    by: Sequence[str],
    *,
    filter: Filter | None = None,  # noqa: A002  what users call it
    limit: int = 20,
) -> list[CostRow]:
    """Return what was spent by these dimensions, most first; what cost nothing is left out.

    Raises InvalidQuery, QueryTooLarge, StoreUnavailable.
    """
    found = measure(reader, time_range, measures=_MEASURES, by=by, filter=filter, limit=limit)
    rows = [_cost(row) for row in found.rows]
    return [row for row in rows if row.cost or row.calls or row.tokens]


def by_model(reader: Reader, time_range: TimeRange, *, limit: int = 50) -> list[CostRow]:
    """Return what each provider's models cost: groups are (provider, model)."""
    return costs_by(reader, time_range, ("provider", "model"), limit=limit)


def _cost(row: MeasuredRow) -> CostRow:
    values: dict[str, Any] = dict(zip(_MEASURES, row.values, strict=True))
    return CostRow(group=row.group, calls=values.pop("model_calls"), **values)


def _month(month: TimeRange, row: MeasuredRow, of_zone: str) -> MonthCost:
    cost = _cost(row)
    return MonthCost(
        month=month.start.astimezone(ZoneInfo(of_zone)).strftime("%Y-%m"),
        starts_at=month.start,
        ends_at=month.end,
        cost=cost.cost,
        calls=cost.calls,
        unpriced_calls=cost.unpriced_calls,
        tokens=cost.tokens,
    )
