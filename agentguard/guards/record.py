"""A guard's verdict as telemetry: a span of its own, and the outcome on the run's root span."""

from __future__ import annotations

import logging

from opentelemetry.trace import Status, StatusCode
from opentelemetry.util.types import AttributeValue

from agentguard import semconv
from agentguard.guards.call import Call
from agentguard.guards.state import RunState
from agentguard.guards.verdict import Action, Stop
from agentguard.inheritance import inherited
from agentguard.runtime import runtime

__all__ = ["attributes_of", "record", "record_stop"]

log = logging.getLogger("agentguard")


def record(stop: Stop, call: Call) -> None:
    """Record a verdict about the call. Never raises."""
    record_stop(stop, call.run, called=call.name)


def record_stop(stop: Stop, run: RunState, called: str = "") -> None:
    """Record a verdict: a span `guard {name}`, and, for one that ended runs, their root spans.

    Never raises: the verdict stands, recorded or not.
    """
    try:
        own = {**inherited(), **attributes_of(stop), semconv.OPERATION_NAME: semconv.GUARD}
        if called:
            own[semconv.GUARD_CALL] = called
        span = runtime.tracer.start_span(f"{semconv.GUARD} {stop.guard}", attributes=own)
        if stop.action in (Action.STOP, Action.DENY, Action.ERROR):
            span.set_status(Status(StatusCode.ERROR, stop.reason))
        span.end()
        if stop.action is Action.STOP:
            for each in run.chain:
                if each.id == stop.run_id and each.span is not None and each.span.is_recording():
                    each.span.set_attributes(attributes_of(stop))
    except Exception:
        log.debug("A guard's verdict could not be recorded", exc_info=True)


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
