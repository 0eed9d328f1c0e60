"""When something was received, whatever is done to the machine's clock."""

from __future__ import annotations

import time
from collections.abc import Callable

__all__ = ["SteadyClock"]


class SteadyClock:
    """Unix nanoseconds that never run backwards: a clock that is set back stands still."""

    def __init__(self, wall: Callable[[], int] = time.time_ns) -> None:
        self._wall = wall
        self._last = 0

    def now(self) -> int:
        """Return the time of the clock, or of the last call if that was later."""
        self._last = max(self._last, self._wall())
        return self._last
