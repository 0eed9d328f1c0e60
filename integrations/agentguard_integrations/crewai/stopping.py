"""A stop on its way through CrewAI, and out of it.

CrewAI swallows most exceptions: an agent tries again twice, a tool's error is told to the model, a
planner goes on without its plan. What it lets through everywhere is `HookAborted`, so inside of it
a stop travels as one that is ours as well, and leaves as ours alone.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self

from opentelemetry.context import Context, attach, detach

from agentguard.errors import Refused, RunStopped
from agentguard.guards.place import Place, current_place

if TYPE_CHECKING:
    from agentguard.guards.verdict import Stop
    from agentguard.span_scope import SpanScope

__all__ = ["Entry", "abort", "detached", "follow", "join_entry", "latched"]

LONGEST_WAIT_S: Final = 3.0
"""How long an entry point waits for what else goes on in a stopped run: a request that is paid for,
a tool. It makes no further one."""

_carriers: dict[type[Refused], Any] = {}
_entry: ContextVar[Entry | None] = ContextVar("agentguard-crewai-entry", default=None)


def latched(place: Place | None = None) -> Stop | None:
    """Why the run here, or at that place, was stopped; None while it may go on."""
    here = place or current_place()
    return None if here is None else here.run.latched()


def abort(stop: Stop) -> Exception:
    """What carries the stop through CrewAI: of our type, and a `HookAborted`.

    Whoever called CrewAI is told by `Entry`, also where somebody on the way swallows it. Outside of
    entry points there is nobody to get past.
    """
    reason = stop.exception()
    entry = _entry.get()
    if entry is None:
        return reason
    entry.refused = stop
    carrier: Exception = _carrier(type(reason))(str(reason))
    carrier.stop = stop  # type: ignore[attr-defined]
    return carrier


def _carrier(error: type[Refused]) -> Any:
    """The type that is both, made once."""
    found = _carriers.get(error)
    if found is None:
        from crewai.hooks.dispatch import HookAborted  # type: ignore[import-not-found]

        named = {"__module__": error.__module__}
        found = _carriers[error] = type(error.__name__, (error, HookAborted), named)
    return found


@contextmanager
def detached() -> Iterator[None]:
    """Leave the entry point: what is refused here is not what its caller waits for."""
    token = _entry.set(None)
    try:
        yield
    finally:
        _entry.reset(token)


def follow(future: Future[Any]) -> None:
    """Say that what gives this future its result, in a thread, is part of the entry point."""
    entry = _entry.get()
    if entry is not None:
        entry.futures.append(future)


def join_entry() -> None:
    """Say that this task is part of the entry point, which is not left before the task ended."""
    entry = _entry.get()
    if entry is not None:
        entry.join()


class Entry:
    """An entry point of CrewAI, inside its span: a context manager, sync and async.

    Once the run is stopped, what leaves is the exception that says so, whatever came. `insists`
    says whether that holds for a result too: where CrewAI itself made it out of a refusal, and
    not where the user's own code decided to go on.
    """

    __slots__ = (
        "_context_token",
        "_entry_token",
        "_place",
        "_scope",
        "futures",
        "insists",
        "refused",
        "tasks",
    )

    def __init__(self, scope: SpanScope, *, insists: bool = True) -> None:
        self._scope = scope
        self._place: Place | None = None
        self._context_token: Token[Context] | None = None
        self._entry_token: Token[Entry | None] | None = None
        self.insists = insists
        self.refused: Stop | None = None
        self.tasks: set[asyncio.Task[Any]] = set()
        self.futures: list[Future[Any]] = []

    def join(self) -> None:
        """Have the current task waited for where the entry point is left with a stop."""
        task = asyncio.current_task()
        if task is not None:
            self.tasks.add(task)

    def __enter__(self) -> Self:
        stop = latched() if self.insists else None
        if stop is not None:
            raise stop.exception()
        context = self._scope.open()
        self._place = current_place(context)
        self._context_token = attach(context)
        self._entry_token = _entry.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Raises what stopped the run."""
        if self._entry_token is not None:
            _entry.reset(self._entry_token)
        if self._context_token is not None:
            detach(self._context_token)
        reason = self._reason_for(error)
        if reason is not None and self.futures:
            wait(self.futures, LONGEST_WAIT_S)
        self._scope.close(reason or error)
        if reason is not None:
            raise reason from None

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await self._wait(error)
        finally:
            self.__exit__(kind, error, traceback)

    def _reason_for(self, error: BaseException | None) -> Refused | None:
        if error is None:
            stop = self.refused if self.insists else None
        elif isinstance(error, RunStopped) and error.stop is not None:
            stop = error.stop
        elif isinstance(error, Exception) and self._place is not None:
            stop = self._place.run.latched()
        else:
            stop = None
        return None if stop is None else stop.exception()

    async def _wait(self, error: BaseException | None) -> None:
        """Let the tasks of a stopped run end: CrewAI leaves them to themselves when one fails."""
        stop = None if self._place is None else self._place.run.latched()
        if error is None or stop is None:
            return
        here = asyncio.current_task()
        others = [task for task in self.tasks if task is not here and not task.done()]
        # What a budget let begin is paid for and may end; after a deadline nothing goes on.
        if stop.cuts_streams:
            for task in others:
                task.cancel()
        if others:
            _, left = await asyncio.wait(others, timeout=LONGEST_WAIT_S)
            for task in left:
                task.cancel()
