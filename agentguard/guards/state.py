"""What guards know of a run: its guards, its latch, and the runs that it is part of."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from agentguard.guards.verdict import Action, Stop

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from agentguard.guards.guard import Guard

__all__ = ["RunState"]


class RunState:
    """The scope of guards: one run, made by `agentguard.run` or implied by a root span.

    The first objection *latches* it: `stopped` says why, and stays.
    """

    __slots__ = (
        "__weakref__",
        "_lock",
        "_on_stop",
        "chain",
        "guards",
        "id",
        "model_calls",
        "name",
        "noted",
        "parent",
        "service",
        "span",
        "started",
        "stopped",
        "watch",
    )

    def __init__(
        self,
        name: str,
        id: str,  # noqa: A002 - what it is
        guards: Iterable[Guard] = (),
        parent: RunState | None = None,
    ) -> None:
        self.name = name
        self.id = id
        self.parent = parent
        self.guards: tuple[Guard, ...] = tuple(guard.for_run() for guard in guards)
        self.chain: tuple[RunState, ...] = (*(parent.chain if parent else ()), self)
        """The runs that this one is part of, the outermost first, and itself."""
        self.watch: tuple[tuple[RunState, Guard], ...] = tuple(
            (run, guard) for run in self.chain for guard in run.guards
        )
        """All the guards that are asked about a call of this run, with the run they belong to."""
        self.span: Span | None = None
        """The root span."""
        self.started = time.monotonic()
        self.stopped: Stop | None = None
        self.noted: set[Guard] = set()
        """The guards whose objection was recorded though it was not enforced."""
        self._lock = threading.Lock()
        self._on_stop: list[Callable[[Stop], object]] = []

    def latched(self) -> Stop | None:
        """Why this run, or one that it is part of, was stopped; None while it may go on."""
        for run in self.chain:
            if run.stopped is not None:
                return run.stopped
        return None

    def latch(self, stop: Stop) -> bool:
        """Stop the run for good. False where it was stopped before: the first reason stays."""
        with self._lock:
            if self.stopped is not None:
                return False
            self.stopped = stop
            waiting, self._on_stop = self._on_stop, []
        for tell in waiting:
            tell(stop)
        return True

    def on_stop(self, tell: Callable[[Stop], object]) -> Callable[[], None]:
        """Have `tell` called once when the run is stopped; returns what takes that back."""
        with self._lock:
            if self.stopped is None:
                self._on_stop.append(tell)
                return lambda: self._forget(tell)
        tell(self.stopped)
        return lambda: None

    def _forget(self, tell: Callable[[Stop], object]) -> None:
        with self._lock:
            if tell in self._on_stop:
                self._on_stop.remove(tell)

    def deadline(self) -> float | None:
        """When a call that begins now has to be over, on the clock of `time.monotonic()`."""
        given = [at for at in self._deadlines() if at is not None]
        return min(given) if given else None

    def _deadlines(self) -> Iterator[float | None]:
        for _, guard in self.watch:
            if guard.mode == "enforce":
                yield guard.deadline()

    def stop_for(
        self, reason: str, *, guard: str = "stop", cuts_streams: bool = True
    ) -> Stop:
        """What `latch` takes for a stop that no guard asked for."""
        return Stop(
            guard, Action.STOP, reason, self.id, self.name,
            at=time.time(), cuts_streams=cuts_streams,
        )
