"""Asking a run's guards about a call, and acting on what they say.

    admit(call)        before it begins; raises what refuses it
    proceed(call)      at each piece of a streamed answer; raises what cuts it
    settle(call)       when it ended, once, however it ended; raises nothing
    deadline_of(run)   by when what begins now has to be over; raises nothing

Whoever knows of an operation calls these: the span processor for other people's spans, our own
span helpers, and the wrappers at the model clients.
"""

from __future__ import annotations

import logging
import time

from agentguard.errors import Refused
from agentguard.guards.call import MODEL_KINDS, Call, Outcome
from agentguard.guards.guard import Guard
from agentguard.guards.record import record
from agentguard.guards.state import RunState
from agentguard.guards.verdict import Action, Stop, Verdict

_REFUSED_ONCE_STOPPED = MODEL_KINDS | {"tool", "agent"}

__all__ = ["admit", "deadline_of", "object_to", "proceed", "refusal", "refuse_if_stopped", "settle"]

log = logging.getLogger("agentguard")


def admit(call: Call) -> None:
    """Let the call begin. Raises `Refused` where a guard objects or the run was stopped.

    A call that is admitted must be settled.
    """
    run = call.run
    if run.stopped is not None or run.parent is not None:
        refuse_if_stopped(call)
    passed = watch = run.watching[call.kind]
    for asked in watch:
        run, guard = asked
        try:
            verdict = guard.on_start(call)
        except Exception as problem:  # noqa: BLE001 - the boundary of a guard's own errors
            verdict = _failed(guard, problem)
            passed = tuple(each for each in passed if each is not asked)
        if verdict is not None:
            refused = object_to(run, guard, verdict, call)
            if refused is not None:
                # A guard that objected holds nothing; those before it let go of what they hold.
                before = watch[: watch.index(asked)]
                call.passed = tuple(each for each in before if each in passed)
                settle(call, "refused")
                raise refused.exception()
    call.passed = passed
    call.admitted = True


def refuse_if_stopped(call: Call) -> None:
    """Raises `Refused`, and settles the call, where its run was stopped."""
    stop = call.run.latched()
    if stop is not None and call.kind in _REFUSED_ONCE_STOPPED:
        settle(call, "refused")
        raise stop.exception()


def proceed(call: Call) -> None:
    """Let a streamed answer go on. Raises `Refused` where it has to end here."""
    stop = call.run.latched()
    if stop is not None and stop.cuts_streams:
        raise stop.exception()
    for run, guard in call.run.watching[call.kind]:
        try:
            verdict = guard.on_progress(call)
        except Exception as problem:  # noqa: BLE001 - the boundary of a guard's own errors
            verdict = _failed(guard, problem)
        if verdict is not None:
            refused = object_to(run, guard, verdict, call)
            if refused is not None:
                raise refused.exception()


def settle(call: Call, outcome: Outcome = "ok", error: str | None = None) -> None:
    """Tell the guards how the call ended. Only the first call of this counts."""
    if call.outcome != "open":
        return
    call.outcome = outcome
    call.error = error
    call.ended = time.monotonic()
    for run in call.run.chain:
        run.tally.add(call)
    passed = call.passed
    if not passed:
        return
    call.passed = ()
    for run, guard in passed:
        try:
            verdict = guard.on_end(call)
        except Exception as problem:  # noqa: BLE001 - the boundary of a guard's own errors
            verdict = _failed(guard, problem)
        if verdict is not None and outcome != "refused":
            object_to(run, guard, verdict, call)
    call.held.clear()


def deadline_of(run: RunState) -> float | None:
    """When a call that begins now has to be over, on the clock of `time.monotonic()`.

    None where nothing bounds it. Raises nothing.
    """
    first: float | None = None
    for whose, guard in run.timed:
        try:
            ends = guard.deadline()
        except Exception as problem:  # noqa: BLE001 - the boundary of a guard's own errors
            verdict = _failed(guard, problem)
            is_stopped = object_to(whose, guard, verdict) is not None
            ends = time.monotonic() if is_stopped else None
        if ends is not None and (first is None or ends < first):
            first = ends
    return first


def refusal(call: Call) -> Refused | None:
    """What a further request of the call is refused with, now; None where it may be sent."""
    stop = call.run.latched()
    return None if stop is None else stop.exception()


def object_to(
    run: RunState, guard: Guard, verdict: Verdict, call: Call | None = None
) -> Stop | None:
    """Record a guard's verdict on its run, and latch the run where it says so.

    Returns what refuses the call, if anything does. Without a call the guard objects to the run as
    it is: its time is up.
    """
    if guard.mode != "enforce":
        # Recorded once a run: an agent that goes on for hours shall not drown in its warnings.
        if guard not in run.noted:
            run.noted.add(guard)
            action = Action.WARN if guard.mode == "warn" else Action.OBSERVE
            record(_stop(run, guard, verdict, action), run, call)
            if guard.mode == "warn":
                log.warning("%s guard: %s (run %s)", guard.name, verdict.reason, run.name)
        return None
    if verdict.action in (Action.WARN, Action.OBSERVE, Action.ERROR):
        record(_stop(run, guard, verdict, verdict.action), run, call)
        return None
    ends = verdict.action is Action.STOP or call is None or call.is_model_call
    stop = _stop(run, guard, verdict, Action.STOP if ends else Action.DENY)
    if not ends or run.latch(stop):
        record(stop, run, call)
    return stop


def _failed(guard: Guard, problem: Exception) -> Verdict:
    reason = f"the guard failed: {type(problem).__name__}: {problem}"
    log.warning("%s %s; the call is %s", guard.name, reason, _FATE[guard.on_error], exc_info=True)
    action = Action.STOP if guard.on_error == "closed" else Action.ERROR
    return Verdict(action, reason)


_FATE = {"open": "let through", "closed": "refused"}


def _stop(run: RunState, guard: Guard, verdict: Verdict, action: Action) -> Stop:
    return Stop(
        guard=guard.name,
        action=action,
        reason=verdict.reason,
        run_id=run.id,
        run_name=run.name,
        error=verdict.error,
        limit=verdict.limit,
        used=verdict.used,
        unit=verdict.unit,
        at=time.time(),
        cuts_streams=verdict.cuts_streams,
    )
