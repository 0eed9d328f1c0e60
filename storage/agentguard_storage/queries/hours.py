"""The time a question is about, as the columns of the store express it."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from agentguard_storage.queries.errors import InvalidQuery

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_HOUR: Final = 3_600
_LAST_SECOND: Final = 2**32 - 1

LONGEST: Final = timedelta(days=400)
"""The longest range that people and agents may ask about: a year, and what surrounds it."""

IN_HOURS: Final = "ts_hour BETWEEN toDateTime({from_hour:UInt32}) AND toDateTime({to_hour:UInt32})"
"""What every query that is bounded in time says: `ts_hour` leads the sort keys."""

STARTED: Final = "toUnixTimestamp64Nano(start_time) BETWEEN {first_ns:Int64} AND {last_ns:Int64}"
"""That a span started within the range, to the nanosecond; beside `IN_HOURS`, which prunes."""


@dataclass(frozen=True, slots=True)
class TimeRange:
    """From `start` on, and before `end`. Raises InvalidQuery where that cannot be asked."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        """Refuse what has no zone, is reversed or too long."""
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise InvalidQuery("times need a time zone, as in 2026-01-31T12:00:00Z", where="start")
        if self.start >= self.end:
            raise InvalidQuery("the range ends before it begins", where="end")

    def of_a_request(self) -> "TimeRange":
        """The same, for a request from outside. Raises InvalidQuery for more than `LONGEST`."""
        if self.end - self.start > LONGEST:
            raise InvalidQuery(f"a range is at most {LONGEST.days} days long", where="start")
        return self

    def parameters(self, margin: timedelta = timedelta(0)) -> dict[str, int]:
        """Return the parameters of `IN_HOURS` and `STARTED`.

        The hours (Unix seconds) are wider by `margin`; the times (Unix nanoseconds, both
        inclusive) are not. What a column cannot hold becomes the nearest that it can. All are
        numbers, because the server would read dates in its own time zone.
        """
        first, after = _nanoseconds(self.start - _EPOCH), _nanoseconds(self.end - _EPOCH)
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
