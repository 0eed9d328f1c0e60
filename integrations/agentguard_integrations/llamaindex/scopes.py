"""What all spans of LlamaIndex share: begun without harm, and what a stop looks like."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar

from opentelemetry.context import Context

from agentguard.errors import Refused
from agentguard.guards.call import Call, Kind
from agentguard.guards.place import current_place
from agentguard.span_scope import SpanScope
from agentguard_integrations.instrumentor import quietly

__all__ = ["enclosing_call", "enter", "on_refused", "reason_for", "refused_here"]

on_refused: ContextVar[Callable[[Refused], object] | None] = ContextVar(
    "agentguard-llamaindex-refused", default=None
)
"""Who wants to know of a model call that was refused: the run of an agent, which may hide it."""


def enter(scope: SpanScope) -> Context | None:
    """Start the span; None where that failed. Raises `Refused` where a guard objects."""
    with quietly("Starting a span"):
        return scope.open()
    return None


def enclosing_call(kind: Kind) -> Call | None:
    """The model call under way here that what is called now is a part of, having no answer yet."""
    place = current_place()
    call = place.call if place is not None else None
    if call is None or call.kind != kind or call.outcome != "open" or call.answered:
        return None
    return call


def reason_for(error: BaseException, context: Context) -> Refused | None:
    """Why the run was stopped, where it was and the error does not say so itself."""
    if isinstance(error, Refused) or not isinstance(error, Exception):
        return None
    place = current_place(context)
    stop = place.run.latched() if place is not None else None
    return None if stop is None else stop.exception()


def refused_here(reason: Refused) -> None:
    """Tell the agent around that a model call was refused."""
    tell = on_refused.get()
    if tell is not None:
        tell(reason)
