"""One thread that wakes up at deadlines, for runs in which nothing else happens then."""

from __future__ import annotations

import heapq
import itertools
import logging
import os
import threading
import time
from collections.abc import Callable
from weakref import WeakMethod

__all__ = ["wake_at"]

log = logging.getLogger("agentguard")

Woken = Callable[[], float | None]
"""Does what is due, and says when to come back, on the clock of `time.monotonic()`; None for never.
"""


class _Watchdog:
    def __init__(self) -> None:
        self._due: list[tuple[float, int, WeakMethod[Woken]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    def wake_at(self, when: float, method: Woken) -> None:
        with self._changed:
            heapq.heappush(self._due, (when, next(self._numbers), WeakMethod(method)))
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._watch, name="agentguard-watchdog", daemon=True
                )
                self._thread.start()
            self._changed.notify()

    def _watch(self) -> None:
        while True:
            with self._changed:
                while not self._due or self._due[0][0] > time.monotonic():
                    left = self._due[0][0] - time.monotonic() if self._due else None
                    self._changed.wait(None if left is None else max(0.0, left))
                _, _, reference = heapq.heappop(self._due)
            method = reference()
            if method is None:
                continue
            try:
                again = method()
            except Exception:
                log.exception("A deadline could not be kept")
                continue
            finally:
                del method
            if again is not None:
                with self._changed:
                    heapq.heappush(self._due, (again, next(self._numbers), reference))

    def after_fork(self) -> None:
        """The child has no thread, and needs one as soon as somebody waits."""
        due = self._due
        self._changed = threading.Condition()
        self._thread, self._due = None, []
        for when, _, reference in due:
            method = reference()
            if method is not None:
                self.wake_at(when, method)


_watchdog = _Watchdog()
os.register_at_fork(after_in_child=_watchdog.after_fork)


def wake_at(when: float, method: Woken) -> None:
    """Have a bound method called at that time, in another thread, unless its object is gone then.

    `when` is on the clock of `time.monotonic()`.
    """
    _watchdog.wake_at(when, method)
