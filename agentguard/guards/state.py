"""What guards know of a run: its guards, its latch, and the runs that it is part of."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING
from weakref import WeakSet

from agentguard.guards.guard import Guard
from agentguard.guards.tally import Tally
from agentguard.guards.verdict import Action, Stop

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from agentguard.guards.call import Kind

__all__ = ["RunState", "live_runs", "on_begin"]

log = logging.getLogger("agentguard")

_live: WeakSet[RunState] = WeakSet()
_live_lock = threading.Lock()
_begun: list[Callable[[RunState], object]] = []


def live_runs() -> list[RunState]:
    """The runs of this process that have not ended, in no order."""
    with _live_lock:
        return [run for run in _live if not run.ended]


def on_begin(tell: Callable[[RunState], object]) -> None:
    """Have `tell` called with every run that begins from now on, before anything runs in it."""
    _begun.append(tell)


class _Watching(dict["Kind", tuple[tuple["RunState", "Guard"], ...]]):
    """The guards that look at each kind of operation, found when it is first met."""

    __slots__ = ("_all",)

    def __init__(self, everyone: tuple[tuple[RunState, Guard], ...]) -> None:
        self._all = everyone

    def __missing__(self, kind: Kind) -> tuple[tuple[RunState, Guard], ...]:
        found = self[kind] = tuple((run, guard) for run, guard in self._all if guard.looks_at(kind))
        return found


class RunState:
    """The scope of guards: one run, made by `agentguard.run` or implied by a root span.

    The first objection *latches* it: `stopped` says why, and stays.
    """

    __slots__ = (
        "__weakref__",
        "_lock",
        "_on_stop",
        "chain",
        "ended",
        "guards",
        "id",
        "name",
        "noted",
        "parent",
        "service",
        "span",
        "started",
        "stopped",
        "tally",
        "timed",
        "watch",
        "watching",
    )

    def __init__(
        self,
        name: str,
        id: str,  # noqa: A002 - what it is
        guards: Iterable[Guard] = (),
        parent: RunState | None = None,
        service: str = "",
    ) -> None:
        self.name = name
        self.id = id
        self.service = service
        self.parent = parent
        self.guards: tuple[Guard, ...] = tuple(guard.for_run() for guard in guards)
        self.chain: tuple[RunState, ...] = (*(parent.chain if parent else ()), self)
        """The runs that this one is part of, the outermost first, and itself."""
        self.watch: tuple[tuple[RunState, Guard], ...] = tuple(
            (run, guard) for run in self.chain for guard in run.guards
        )
        """All the guards of this run and those around it, with the run they belong to."""
        self.watching = _Watching(self.watch)
        """Those of them that are asked about each kind of operation."""
        self.timed: tuple[tuple[RunState, Guard], ...] = tuple(
            (run, guard)
            for run, guard in self.watch
            if guard.mode == "enforce" and type(guard).deadline is not Guard.deadline
        )
        """Those that may set a time by which the run has to be over."""
        self.span: Span | None = None
        """The root span."""
        self.started = time.monotonic()
        self.stopped: Stop | None = None
        self.ended = False
        self.tally = Tally()
        self.noted: set[Guard] = set()
        """The guards whose objection was recorded though it was not enforced."""
        self._lock = threading.Lock()
        self._on_stop: list[Callable[[Stop], object]] = []
        with _live_lock:
            _live.add(self)
        for guard in self.guards:
            try:
                guard.begin(self)
            except Exception:
                log.exception("%s guard could not begin with run %s", guard.name, name)
        for tell in _begun:
            tell(self)

    def end(self) -> None:
        """The run is over: there is nothing left to stop."""
        self.ended = True
        with _live_lock:
            _live.discard(self)

    @property
    def trace_id(self) -> str:
        """The trace that the run's root span is in, as 32 hex digits; empty where it has none."""
        if self.span is None:
            return ""
        return format(self.span.get_span_context().trace_id, "032x")

    def latched(self) -> Stop | None:
        """Why this run, or the nearest that it is part of, was stopped; None while it may go on."""
        for run in reversed(self.chain):
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

    def stop_for(self, reason: str, *, guard: str = "stop", cuts_streams: bool = True) -> Stop:
        """What `latch` takes for a stop that no guard asked for."""
        return Stop(
            guard,
            Action.STOP,
            reason,
            self.id,
            self.name,
            at=time.time(),
            cuts_streams=cuts_streams,
        )
