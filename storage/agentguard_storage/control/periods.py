"""When a budget's period begins and ends, by the calendar of a time zone."""

from datetime import UTC, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from agentguard_storage.control.errors import InvalidValue

EPOCH = datetime.fromtimestamp(0, UTC)
_HOUR = timedelta(hours=1)


class Period(StrEnum):
    """How often a budget begins anew."""

    NONE = "none"
    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


def checked_zone(name: str) -> str:
    """The name of a time zone that exists. Raises InvalidValue."""
    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError):
        raise InvalidValue(
            f"there is no time zone {name[:64]!r}; use an IANA name such as Europe/Berlin or UTC"
        ) from None
    return name


def bounds(period: Period, zone: str, now: datetime) -> tuple[datetime, datetime | None]:
    """The beginning and the end, in UTC, of the period that `now` is in.

    Days begin at midnight, weeks on Monday (ISO 8601), months on the first. A midnight that does
    not exist is the moment at which the clock jumps over it; of two, it is the first. Without a
    period there is no end.
    """
    if period is Period.NONE:
        return EPOCH, None
    local = now.astimezone(ZoneInfo(zone))
    if period is Period.HOUR:
        offset = local.utcoffset() or timedelta()
        start = now.astimezone(UTC) - (now.astimezone(UTC) + offset - EPOCH) % _HOUR
        return start, start + _HOUR
    first = last = local.date()
    if period is Period.DAY:
        last = first + timedelta(days=1)
    elif period is Period.WEEK:
        first -= timedelta(days=first.weekday())
        last = first + timedelta(days=7)
    else:
        first = first.replace(day=1)
        last = (first + timedelta(days=32)).replace(day=1)
    start, end = (
        datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC) for day in (first, last)
    )
    return start, end
