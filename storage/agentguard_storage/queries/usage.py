"""What a project sent in a month, as plans count it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from agentguard_storage.queries.intervals import month_of, zone
from agentguard_storage.queries.metrics import MeasuredRow, measure
from agentguard_storage.queries.reader import Reader

__all__ = ["DayUsage", "Usage", "usage_of_month"]

_MEASURES: Final = ("count", "errors", "model_calls", "unpriced_calls", "tokens", "cost")


@dataclass(frozen=True, slots=True, kw_only=True)
class DayUsage:
    """One day: its spans, and what their model calls used. Money in US dollars."""

    day: date
    event_count: int
    error_count: int
    model_calls: int
    unpriced_calls: int
    tokens: int
    cost: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """A month, as `2026-01`. An event is a span, counted in the month that it started in.

    `plan`, `event_limit` and `retention_days` are the asker's. `first_at` and `last_at` are the
    first and the last hour that the project has ever had spans in, None if there are none;
    `by_day` has every day of the month.
    """

    plan: str
    current_month: str
    starts_at: datetime
    ends_at: datetime
    event_count: int
    event_limit: int | None
    error_count: int
    model_calls: int
    unpriced_calls: int
    tokens: int
    cost: Decimal | None
    retention_days: int | None
    first_at: datetime | None
    last_at: datetime | None
    by_day: list[DayUsage]


_EVER: Final = """
SELECT
    count() AS rows,
    toUnixTimestamp(min(ts_hour)) AS first,
    toUnixTimestamp(max(ts_hour)) AS last
FROM usage_hourly
WHERE project_id = {project:String}
"""


def usage_of_month(
    reader: Reader,
    *,
    now: datetime,
    timezone: str = "UTC",
    plan: str = "self-hosted",
    event_limit: int | None = None,
    retention_days: int | None = None,
) -> Usage:
    """Return what was sent in the calendar month that `now` is in.

    Raises InvalidQuery, QueryTooLarge, StoreUnavailable.
    """
    of_zone = zone(timezone)
    month = month_of(of_zone, now)
    local = ZoneInfo(of_zone)
    total = measure(reader, month, measures=_MEASURES).rows[0]
    days = measure(reader, month, measures=_MEASURES, interval="day", timezone=timezone).rows
    ever = reader.rows(_EVER)[0]
    return Usage(
        plan=plan,
        current_month=month.start.astimezone(local).strftime("%Y-%m"),
        starts_at=month.start,
        ends_at=month.end,
        event_limit=event_limit,
        retention_days=retention_days,
        first_at=datetime.fromtimestamp(ever["first"], UTC) if ever["rows"] else None,
        last_at=datetime.fromtimestamp(ever["last"], UTC) if ever["rows"] else None,
        by_day=[
            DayUsage(day=row.at.astimezone(local).date(), **_figures(row)) for row in days if row.at
        ],
        **_figures(total),
    )


def _figures(row: MeasuredRow) -> dict[str, Any]:
    values: dict[str, Any] = dict(zip(_MEASURES, row.values, strict=True))
    return {"event_count": values.pop("count"), "error_count": values.pop("errors"), **values}
