"""What was spent within the last so many seconds, in constant memory and time."""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from agentguard.budgets.spend import Amount, Spend, Unit

__all__ = ["RollingSum"]

_BUCKETS: Final = 100


class RollingSum:
    """Spend by its age. Not for several threads at once: its ledger holds a lock.

    Spend is kept in buckets of a hundredth of the window, and a bucket comes back when the last
    moment that it covers is a window old: later than exact by up to 1%, and never sooner, so that
    no window of that length, wherever it begins, holds more than the limit.
    """

    __slots__ = ("_buckets", "_width", "next", "window")

    def __init__(self, window: float) -> None:
        self.window = window
        self._width = window / _BUCKETS
        self._buckets: deque[list[int]] = deque()
        """Number of the bucket since the clock's zero, calls, tokens, pico-dollars."""
        self.next = math.inf
        """When the oldest bucket comes back."""

    def add(self, now: float, spent: Amount) -> None:
        """Count what was spent at `now`."""
        number = int(now / self._width)
        buckets = self._buckets
        if buckets and buckets[-1][0] >= number:
            newest = buckets[-1]
            newest[1] += spent[0]
            newest[2] += spent[1]
            newest[3] += spent[2]
            return
        if not buckets:
            self.next = self._comes_back(number)
        buckets.append([number, *spent])

    def expire(self, now: float) -> Spend:
        """Drop what is older than the window, and say how much that was. For `now >= next`."""
        gone = Spend()
        while self._buckets and self._comes_back(self._buckets[0][0]) <= now:
            _, *counts = self._buckets.popleft()
            gone += Spend(*counts)
        self.next = self._comes_back(self._buckets[0][0]) if self._buckets else math.inf
        return gone

    def wait(self, now: float, unit: Unit, missing: int) -> float | None:
        """Seconds until `missing` more has come back; None where there is not that much."""
        place = 1 + Spend._fields.index(unit)
        for bucket in self._buckets:
            missing -= bucket[place]
            if missing <= 0:
                return max(0.0, self._comes_back(bucket[0]) - now)
        return None

    def _comes_back(self, number: int) -> float:
        return (number + 1) * self._width + self.window
