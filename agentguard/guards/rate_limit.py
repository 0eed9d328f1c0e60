"""`RateLimitGuard`: how many calls may be made in a minute."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Collection
from typing import ClassVar, Final, Self

from agentguard.errors import RateLimitExceeded, Refused
from agentguard.guards.arguments import kinds_of, whole_number
from agentguard.guards.call import Call, Kind
from agentguard.guards.guard import Guard, Mode, OnError
from agentguard.guards.verdict import Verdict

__all__ = ["RateLimitGuard"]

_MINUTE: Final = 60.0


class RateLimitGuard(Guard):
    """Stops a run that makes more calls than are allowed in any sixty seconds.

        RateLimitGuard(max_calls_per_minute=60)

    All runs that the guard is given to count together. Model calls are counted, unless `kinds`
    says otherwise. `clock` gives seconds and does not run backwards.

    Raises:
        ConfigurationError: `max_calls_per_minute` is below 1, or a kind is none.
    """

    name: ClassVar[str] = "rate_limit"
    error: ClassVar[type[Refused]] = RateLimitExceeded

    def __init__(
        self,
        max_calls_per_minute: int,
        *,
        kinds: Collection[Kind] = ("llm", "embedding"),
        mode: Mode = "enforce",
        on_error: OnError = "open",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(mode=mode, on_error=on_error)
        self._most = whole_number("max_calls_per_minute", max_calls_per_minute, 1)
        self._kinds = kinds_of(kinds)
        self._clock = clock
        self._calls = _LatestCalls(max_calls_per_minute)

    def for_run(self) -> Self:
        """The run's guard counts together with those of all other runs."""
        guard = super().for_run()
        assert isinstance(guard, type(self))  # noqa: S101 - it is of the same make
        guard._calls = self._calls
        return guard

    def on_start(self, call: Call) -> Verdict | None:
        """Refuses the call that would be one too many."""
        if call.kind not in self._kinds:
            return None
        wait = self._calls.add(self._clock(), in_any_case=self.mode != "enforce")
        if wait is None:
            return None
        return self.stop(
            f"{self._most} calls were made within a minute, which is the limit; "
            f"the next may be made in {wait:.1f} s",
            limit=self._most,
            used=self._most + 1,
            unit="calls a minute",
        )


class _LatestCalls:
    """When the latest calls were made: as many as a minute may hold."""

    def __init__(self, most: int) -> None:
        self._times: deque[float] = deque(maxlen=most)
        self._lock = threading.Lock()

    def add(self, now: float, *, in_any_case: bool) -> float | None:
        """Count a call; the seconds to wait where there is no room for it.

        Then it is not counted, unless it is made in any case.
        """
        with self._lock:
            times = self._times
            age = now - times[0] if len(times) == times.maxlen else _MINUTE
            if age >= _MINUTE or in_any_case:
                times.append(now)
            return _MINUTE - age if age < _MINUTE else None
