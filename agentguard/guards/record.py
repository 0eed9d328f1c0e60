"""A guard's verdict as telemetry: a span of its own, and the outcome on the run's root span."""

from __future__ import annotations

import logging

from opentelemetry.trace import Span, Status, StatusCode, set_span_in_context
from opentelemetry.util.types import AttributeValue

from agentguard import semconv
from agentguard.guards.call import Call
from agentguard.guards.place import current_place
from agentguard.guards.state import RunState
from agentguard.guards.verdict import Action, Stop
from agentguard.inheritance import inherited
from agentguard.runtime import runtime

__all__ = ["attributes_of", "record"]

log = logging.getLogger("agentguard")


def record(stop: Stop, run: RunState, call: Call | None = None) -> None:
    """Record a verdict: a span `guard {name}`, and, for one that ended the run, its root span.

    `run` is the one that it is about. Never raises: the verdict stands, recorded or not.
    """
    try:
        own = {
            **inherited(),
            semconv.RUN_ID: run.id,
            semconv.RUN_NAME: run.name,
            **attributes_of(stop),
            semconv.OPERATION_NAME: semconv.GUARD,
        }
        if call is not None:
            own[semconv.GUARD_CALL] = call.name
        root = _root_span(run, call)
        place, context = current_place(), None
        if root is not None and (place is None or run not in place.run.chain):
            # The watchdog's thread, or somebody who stops the run from outside.
            context = set_span_in_context(root)
        span = runtime.tracer.start_span(f"{semconv.GUARD} {stop.guard}", context, attributes=own)
        if stop.action in (Action.STOP, Action.DENY, Action.ERROR):
            span.set_status(Status(StatusCode.ERROR, stop.reason))
        span.end()
        if stop.action is Action.STOP and root is not None and root.is_recording():
            root.set_attributes({**attributes_of(stop), semconv.RUN_OUTCOME: semconv.STOPPED})
    except Exception:
        log.debug("A guard's verdict could not be recorded", exc_info=True)


def _root_span(run: RunState, call: Call | None) -> Span | None:
    """The run's root span; that of the next run inside for one that has none itself.

    Such is a program that is guarded from outside.
    """
    inside = call.run.chain if call is not None else run.chain
    return next((each.span for each in inside[inside.index(run) :] if each.span is not None), None)


def attributes_of(stop: Stop) -> dict[str, AttributeValue]:
    """The verdict as span attributes; numbers only where there are some."""
    found: dict[str, AttributeValue] = {
        semconv.GUARD_NAME: stop.guard,
        semconv.GUARD_ACTION: stop.action.value,
        semconv.GUARD_REASON: stop.reason,
    }
    if stop.action is Action.STOP:
        found[semconv.STOP_REASON] = stop.reason
    if stop.limit is not None:
        found[semconv.GUARD_LIMIT] = stop.limit
    if stop.used is not None:
        found[semconv.GUARD_USED] = stop.used
    if stop.unit:
        found[semconv.GUARD_UNIT] = stop.unit
    return found
