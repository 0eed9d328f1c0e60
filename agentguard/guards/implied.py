"""Runs that nobody opened: that of a bare root span, and that of a bare model call."""

from __future__ import annotations

import threading

from opentelemetry.context import Context
from opentelemetry.trace import format_trace_id

from agentguard.guards.place import Place, current_place
from agentguard.guards.state import RunState
from agentguard.inheritance import inherited
from agentguard.runtime import runtime
from agentguard.semconv import RUN_ID, RUN_NAME

__all__ = ["implied_run", "place_for_request"]

_lock = threading.Lock()


def implied_run(name: str, trace_id: int, context: Context | None = None) -> RunState:
    """The run of a root span: its trace's, or the one that the caller's baggage names."""
    carried = inherited(context)
    return RunState(
        str(carried.get(RUN_NAME) or name),
        str(carried.get(RUN_ID) or format_trace_id(trace_id)),
        runtime.guards,
        runtime.process_run,
        runtime.service,
    )


def place_for_request() -> Place | None:
    """The place of a model call made now.

    Outside of runs and spans that is one run for the whole process, under the guards that `init`
    was given; None where it was given none and nobody traces the call either.
    """
    place = current_place()
    if place is not None:
        return place
    if runtime.process_run is not None:
        return Place(runtime.process_run)
    if not runtime.guards and not runtime.traced_clients:
        return None
    with _lock:
        if runtime.bare_run is None:
            runtime.bare_run = RunState(
                "process", "process", runtime.guards, service=runtime.service
            )
        return Place(runtime.bare_run)
