"""Where code is: in which run, and in which of its operations.

A place travels in the OpenTelemetry context, and on the span objects themselves, so that spans of
others find it also where somebody hands on a span and not the context it was made in.
"""

from __future__ import annotations

import time
from contextvars import ContextVar
from typing import NamedTuple
from weakref import ReferenceType, ref

from opentelemetry.context import Context, create_key, get_current
from opentelemetry.trace import Span
from opentelemetry.trace.propagation import _SPAN_KEY

from agentguard.guards.call import Call
from agentguard.guards.state import RunState

__all__ = [
    "Over",
    "Place",
    "at",
    "call_over",
    "current_place",
    "expect_request",
    "expected_call",
    "mark",
    "report_late",
]

_KEY = create_key("agentguard-place")
_ATTRIBUTE = "_agentguard_place"


class Place:
    """A run, and the operation of it that is under way; None between the run and its first."""

    __slots__ = ("__weakref__", "call", "run")

    def __init__(self, run: RunState, call: Call | None = None) -> None:
        self.run = run
        self.call = call


def current_place(context: Context | None = None) -> Place | None:
    """The place in the context, by default the current one; None outside of runs."""
    if context is None:
        context = get_current()
    span, kept = context.get(_SPAN_KEY), context.get(_KEY)
    if isinstance(kept, tuple) and kept[1] is span:
        return kept[0]  # type: ignore[no-any-return]
    # A span became the current one since.
    on_span = getattr(span, _ATTRIBUTE, None)
    if on_span is not None:
        return on_span  # type: ignore[no-any-return]
    return kept[0] if isinstance(kept, tuple) else None


def at(place: Place, context: Context | None = None, span: Span | None = None) -> Context:
    """The context, at that place, and with that span as its current one."""
    inside = dict(get_current() if context is None else context)
    if span is not None:
        inside[_SPAN_KEY] = span
    inside[_KEY] = place, inside.get(_SPAN_KEY)
    return Context(inside)


def mark(span: Span, place: Place) -> bool:
    """Let the span's children find the place; False for a span that cannot be marked."""
    if not span.is_recording():
        return False
    setattr(span, _ATTRIBUTE, place)
    return True


_expected: ContextVar[ReferenceType[Call] | None] = ContextVar("agentguard-expected", default=None)


def expect_request(call: Call) -> None:
    """Say that the next request to a model from this thread or task is this call's.

    For instrumentors that start a span and do not make it the current one.
    """
    _expected.set(ref(call))


class Over(NamedTuple):
    """The model call that a thread or task made last: when it ended, and whether it has a span."""

    ended: int
    """In nanoseconds since the epoch."""
    has_span: bool


_over: ContextVar[Over | None] = ContextVar("agentguard-over", default=None)


def call_over(*, has_span: bool) -> None:
    """Say that the model call which this thread or task made is over now."""
    _over.set(Over(time.time_ns(), has_span))


def report_late(started: int) -> Over | None:
    """The call that a span made now stands for, if it claims to have started before that ended.

    Some instrumentors make a span when all is over. `started` is in nanoseconds since the epoch.
    """
    found = _over.get()
    if found is None or started >= found.ended:
        return None
    _over.set(found._replace(has_span=True))
    return found


def expected_call(place: Place | None) -> Call | None:
    """The admitted model call that a request sent now belongs to; None where nobody announced it.

    Either the operation under way here is a model call, or one was announced that has sent
    nothing yet.
    """
    if place is not None and place.call is not None and place.call.is_model_call:
        call = place.call
        if call.outcome == "open":
            return call
    held = _expected.get()
    call_or_none = held() if held is not None else None
    if call_or_none is None or call_or_none.outcome != "open" or call_or_none.attempts:
        return None
    return call_or_none
