"""The period a query looks at, as the columns of the store express it."""

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = 3_600
_LAST_SECOND: Final = 2**32 - 1

IN_HOURS: Final = "ts_hour BETWEEN toDateTime({from_hour:UInt32}) AND toDateTime({to_hour:UInt32})"
"""What every query that is bounded in time says: `ts_hour` leads the sort keys."""


def period(start: datetime, end: datetime, margin: timedelta = timedelta(0)) -> dict[str, int]:
    """Return the parameters of `IN_HOURS`, and `first_ns` and `last_ns`, for `[start, end)`.

    The hours (Unix seconds) are wider by `margin`; the times (Unix nanoseconds, both inclusive)
    are not. What a column cannot hold becomes the nearest that it can. All are numbers, because
    the server would read dates in its own time zone. Raises ValueError for a time without a zone.
    """
    if start.tzinfo is None or end.tzinfo is None:
        raise ValueError("times need a time zone")
    first, after = _nanoseconds(start - _EPOCH), _nanoseconds(end - _EPOCH)
    return {
        "from_hour": _hour(first - _nanoseconds(margin)),
        "to_hour": _hour(after + _nanoseconds(margin)),
        "first_ns": max(first, -(2**63)),
        "last_ns": min(after - 1, 2**63 - 1),
    }


def _nanoseconds(span: timedelta) -> int:
    return span // timedelta(microseconds=1) * 1_000


def _hour(nanoseconds: int) -> int:
    second = min(max(nanoseconds // 10**9, 0), _LAST_SECOND)
    return second - second % _HOUR
