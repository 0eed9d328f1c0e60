"""Reading the newest first: the last hours of a range, and more of it only if they hold too little.

A list shows fifty rows of millions. Summing up a month for them takes a hundred times as long as
the last hours do, where most lists end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from agentguard_storage.queries.hours import TimeRange

__all__ = ["IN_SLICE", "LONGEST_TRACE", "before", "moment", "newest_first", "slice_parameters"]

IN_SLICE: Final = (
    "ts_hour BETWEEN toDateTime({slice_from:UInt32}) AND toDateTime({slice_to:UInt32})"
)
"""What a statement says of the hours that its rows are from; `IN_HOURS` is wider, for what filters
ask of the rest of their traces."""

LONGEST_TRACE: Final = timedelta(hours=24)
"""How far a trace's spans are looked for before and after the hours that a list is about."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LAST: Final = datetime(2106, 1, 1, tzinfo=UTC)
_FIRST_SLICE: Final = timedelta(hours=6)
_WIDER: Final = 24
"""Times as wide, where a piece held nothing."""
_MARGIN: Final = 1.3

Row = TypeVar("Row")


def newest_first(
    time_range: TimeRange, most: int, ask: Callable[[TimeRange, int], Sequence[Row]]
) -> list[Row]:
    """Ask about piece after piece of a range, the newest first, until there are `most` rows.

    `ask` is given a piece and how many rows are missing. Pieces are cut at whole hours. A question
    takes longer to begin than to look through an hour, so the next piece is as wide as, after the
    rows that were found so far, it probably has to be.
    """
    start, end = time_range.start, time_range.end
    top = cut = min(end, _LAST).astimezone(UTC)
    width = _FIRST_SLICE
    rows: list[Row] = []
    while True:
        cut -= min(width, cut - _EPOCH) if cut > _EPOCH else timedelta(0)
        cut = cut.replace(minute=0, second=0, microsecond=0)
        is_last = cut <= max(start, _EPOCH)
        rows += ask(TimeRange(start if is_last else cut, end), most - len(rows))
        if is_last or len(rows) >= most:
            return rows
        end = cut
        if rows:
            width = max(width * 2, (top - cut) * (_MARGIN * (most / len(rows) - 1)))
        else:
            width *= _WIDER


def slice_parameters(
    time_range: TimeRange, earlier: timedelta = timedelta(0), later: timedelta = timedelta(0)
) -> dict[str, int]:
    """Return the parameters of `IN_SLICE` and `STARTED`, and of `IN_HOURS`, which has margins."""
    own = time_range.parameters()
    found = {**own, "slice_from": own["from_hour"], "slice_to": own["to_hour"]}
    found["from_hour"] = time_range.parameters(earlier)["from_hour"]
    found["to_hour"] = time_range.parameters(later)["to_hour"]
    return found


def before(time_range: TimeRange, nanosecond: int) -> TimeRange | None:
    """The part of a range up to and with this Unix nanosecond; None if there is none."""
    end = min(time_range.end, moment(nanosecond) + timedelta(microseconds=1))
    return TimeRange(time_range.start, end) if end > time_range.start else None


def moment(nanosecond: int) -> datetime:
    """The time at a Unix nanosecond, to the microsecond before."""
    return _EPOCH + timedelta(microseconds=nanosecond // 1_000)
