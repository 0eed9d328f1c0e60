"""Stretches of time that figures are summed over: hours, days, months of a time zone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, get_args

from agentguard_storage.control.errors import InvalidValue
from agentguard_storage.control.periods import Period, bounds, checked_zone
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import TimeRange

__all__ = ["INTERVALS", "MOST", "Interval", "edges", "month_of", "whole_hours", "zone"]

Interval = Literal["minute", "hour", "day", "week", "month"]
INTERVALS: Final[tuple[Interval, ...]] = get_args(Interval)

MOST: Final = 2_000
"""The most intervals of one answer: a day of minutes, 80 days of hours."""

_MINUTE: Final = timedelta(minutes=1)


def zone(name: str) -> str:
    """The name of a time zone that exists. Raises InvalidQuery."""
    try:
        return checked_zone(name)
    except InvalidValue as error:
        raise InvalidQuery(str(error), where="timezone") from None


def edges(time_range: TimeRange, interval: Interval, of_zone: str) -> list[int]:
    """Return when each interval begins (Unix seconds), the first at or before the range's start.

    Intervals are those of budgets' periods: days begin at midnight of the zone, weeks on Monday.
    Raises InvalidQuery for more than `MOST`, and for an unknown interval.
    """
    if interval not in INTERVALS:
        raise InvalidQuery(f"an interval is one of {', '.join(INTERVALS)}", where="interval")
    found: list[int] = []
    at = time_range.start
    while at < time_range.end:
        if len(found) == MOST:
            raise InvalidQuery(
                f"these are more than {MOST:,} intervals; ask for a longer interval or a shorter "
                "time",
                where="interval",
            )
        begins, at = _around(at, interval, of_zone)
        found.append(int(begins.timestamp()))
    return found


def month_of(of_zone: str, now: datetime, back: int = 0) -> TimeRange:
    """The calendar month that `now` is in, or the one so many months before it."""
    begins, ends = _around(now, "month", of_zone)
    for _ in range(back):
        begins, ends = _around(begins - timedelta(days=1), "month", of_zone)
    return TimeRange(begins, ends)


def whole_hours(found: list[int]) -> bool:
    """Whether all of these times begin an hour, as UTC has them."""
    return all(each % 3_600 == 0 for each in found)


def _around(at: datetime, interval: Interval, of_zone: str) -> tuple[datetime, datetime]:
    if interval == "minute":
        begins = at.astimezone(UTC).replace(second=0, microsecond=0)
        return begins, begins + _MINUTE
    begins, ends = bounds(Period(interval), of_zone, at)
    return begins, ends or at
