"""`TimeoutGuard`: how long a run may take, and how long it may do nothing."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from typing import ClassVar, Final
from weakref import ReferenceType, ref

from agentguard.errors import ConfigurationError, Refused, TimeoutExceeded
from agentguard.guards.call import Call, Kind
from agentguard.guards.enforcement import object_to
from agentguard.guards.guard import Guard, Mode, OnError
from agentguard.guards.state import RunState
from agentguard.guards.verdict import Verdict
from agentguard.guards.watchdog import wake_at

__all__ = ["TimeoutGuard"]

_LEFT: Final[frozenset[Kind]] = frozenset({"tool", "retrieval", "agent", "workflow"})
"""What spends nothing by itself: at the deadline the watchdog stops the run that it is in."""


class TimeoutGuard(Guard):
    """Stops a run at its deadline, whatever it is doing then.

        TimeoutGuard(max_seconds=600, idle_seconds=60)

    `max_seconds` is the time from the run's beginning to its end, `idle_seconds` that between two
    signs of life: a model call, a tool call or an agent that begins or ends, or a piece of a
    streamed answer. Code that runs in asyncio inside the run is cancelled, and leaves the run as
    `TimeoutExceeded`. A model call in a thread gets the time that is left as its time-out. A tool
    that runs in a thread cannot be interrupted: what it comes back to is refused.

    Raises:
        ConfigurationError: neither time is given, or one is not a number of seconds above 0.
    """

    name: ClassVar[str] = "timeout"
    error: ClassVar[type[Refused]] = TimeoutExceeded

    def __init__(
        self,
        max_seconds: float | None = None,
        *,
        idle_seconds: float | None = None,
        mode: Mode = "enforce",
        on_error: OnError = "open",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(mode=mode, on_error=on_error)
        if max_seconds is None and idle_seconds is None:
            raise ConfigurationError(
                "TimeoutGuard() limits nothing: give max_seconds, idle_seconds or both."
            )
        self._max = _seconds("max_seconds", max_seconds)
        self._idle = _seconds("idle_seconds", idle_seconds)
        self._clock = clock
        self._began = self._alive = clock()
        self._run: ReferenceType[RunState] | None = None

    def looks_at(self, kind: Kind) -> bool:
        """At every sign of life; where only the end counts, only at model calls."""
        is_watched = self._idle is None and self._clock is time.monotonic
        return not is_watched or kind not in _LEFT or type(self) is not TimeoutGuard

    def begin(self, run: RunState) -> None:
        """The run begins: its time runs from here."""
        self._began = self._alive = self._clock()
        self._run = ref(run)
        if self._clock is time.monotonic:
            wake_at(self._next(), self._wake)

    def deadline(self) -> float | None:
        """When a call that begins now has to be over."""
        return self._next()

    def on_start(self, call: Call | None = None) -> Verdict | None:
        """Objects where the deadline has passed: to what begins, to each piece of a stream."""
        now = self._clock()
        if self._max is not None and now - self._began >= self._max:
            return self._late(f"the run took longer than {self._max:g} s", self._max, now)
        if self._idle is not None and now - self._alive >= self._idle:
            reason = f"nothing happened in the run for {self._idle:g} s"
            return self._late(reason, self._idle, now, since=self._alive)
        self._alive = now
        return None

    on_progress = on_end = on_start

    def _late(self, reason: str, limit: float, now: float, since: float | None = None) -> Verdict:
        used = round(now - (self._began if since is None else since), 3)
        return replace(self.stop(reason, limit=limit, used=used, unit="seconds"), cuts_streams=True)

    def _next(self) -> float:
        ends = math.inf if self._max is None else self._began + self._max
        return ends if self._idle is None else min(ends, self._alive + self._idle)

    def _wake(self) -> float | None:
        """What the watchdog calls; returns when it has to come again."""
        run = self._run() if self._run is not None else None
        if run is None or run.ended or run.stopped is not None:
            return None
        if self._clock() < self._next():
            return self._next()
        alive = self._alive
        verdict = self.on_start()
        if verdict is None:
            return self._next()
        object_to(run, self, verdict)
        # In a mode that stops nothing, the next silence is looked at from here.
        self._alive = self._clock() if alive == self._alive else self._alive
        return None if self._idle is None or self.mode == "enforce" else self._next()


def _seconds(name: str, value: object) -> float | None:
    if value is None:
        return None
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or not 0 < float(value) < math.inf:  # type: ignore[arg-type]
        raise ConfigurationError(f"{name}={value!r}: it is a number of seconds greater than 0.")
    return float(value)  # type: ignore[arg-type]
