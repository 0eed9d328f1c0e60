"""Times of spans as datetimes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

__all__ = ["at"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def at(nanoseconds: int) -> datetime:
    """The moment so many nanoseconds after 1970, to the microsecond.

    A sender may claim any time that 64 bits can hold, which is within what a datetime can.
    """
    return _EPOCH + timedelta(microseconds=nanoseconds // 1_000)
