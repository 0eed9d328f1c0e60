"""The runs that are under way: LangChain's word for each call of a chain, tool, model, retriever.

LangChain tells of them by id. Each has a context, in which what it calls begins; those that have
a span are in it.
"""

from __future__ import annotations

from asyncio import CancelledError
from contextvars import ContextVar
from typing import TYPE_CHECKING

from opentelemetry.context import Context, create_key, get_current, get_value, set_value

from agentguard.errors import RunStopped
from agentguard.guards.place import current_place

if TYPE_CHECKING:
    from uuid import UUID

    from agentguard.guards.verdict import Stop
    from agentguard.span_scope import SpanScope

__all__ = ["Run", "Runs", "begun"]

_RUN = create_key("agentguard-langchain-run")

begun: ContextVar[list[UUID] | None] = ContextVar("agentguard-langchain-begun", default=None)
"""The runs that one call of a model begins, where several prompts are one call."""


class Run:
    """One run. `scope` is its span; None for plumbing, whose children are its parent's."""

    __slots__ = ("context", "inside", "is_root", "root", "scope")

    def __init__(self, scope: SpanScope | None, context: Context, root: Run | None) -> None:
        self.scope = scope
        self.context = context
        self.is_root = root is None
        self.root = root or self
        self.inside: dict[UUID, Run] = {}
        """Of a root: the runs inside that have not ended."""

    def stop(self) -> Stop | None:
        """Why the guarded run that this one is part of was stopped; None where it was not."""
        place = current_place(self.context)
        return None if place is None else place.run.latched()

    def reason_for(self, error: BaseException | None) -> BaseException | None:
        """The error, or the stop in whose place it came where this is what the caller called."""
        if not self.is_root or not isinstance(error, Exception):
            return error
        stop = self.stop()
        return error if stop is None or isinstance(error, RunStopped) else stop.exception()


class Runs:
    """Those of this process, by id."""

    def __init__(self) -> None:
        self._runs: dict[UUID, Run] = {}

    def __len__(self) -> int:
        return len(self._runs)

    def get(self, run_id: UUID | None) -> Run | None:
        """The run; None for one that is over or was never told of."""
        return None if run_id is None else self._runs.get(run_id)

    def begin(self, run_id: UUID, parent_id: UUID | None, scope: SpanScope | None) -> Run:
        """Open the scope, inside the parent's. Raises `Refused` where a guard objects."""
        parent = self.get(parent_id)
        context = get_current()
        # In the parent's own code there may be spans of the application's around.
        if parent is not None and get_value(_RUN, context) != parent_id:
            context = parent.context
        if scope is not None:
            context = scope.within(context).open()
        run = Run(scope, set_value(_RUN, run_id, context), parent.root if parent else None)
        self._runs[run_id] = run
        together = begun.get()
        if together is not None:
            together.append(run_id)
        run.root.inside[run_id] = run
        return run

    def end(self, run_id: UUID, error: BaseException | None = None) -> None:
        """Close the run's scope; with a root, those that nobody ended."""
        run = self._runs.pop(run_id, None)
        if run is None:
            return
        run.root.inside.pop(run_id, None)
        if run.is_root:
            for left in reversed(list(run.inside)):
                self.end(left, CancelledError("what it was part of is over"))
        if run.scope is not None:
            run.scope.close(run.reason_for(error))
