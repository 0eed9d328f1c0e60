"""Drives guards by hand, where no client and no span is needed."""

from agentguard.guards.call import Call
from agentguard.guards.enforcement import admit, settle
from agentguard.guards.guard import Guard
from agentguard.guards.state import RunState

__all__ = ["begun", "made", "run_of"]


def run_of(*guards: Guard) -> RunState:
    """A run under the guards."""
    return RunState("r", "1", guards)


def begun(run: RunState, kind: str, name: str, **known: object) -> Call:
    """A call that begins. Raises what refuses it."""
    call = Call(kind, name, run, **known)  # type: ignore[arg-type]
    admit(call)
    return call


def made(
    run: RunState, kind: str, name: str, output: object = None, error: str | None = None, **known
) -> Call:
    """A call that begins and ends."""
    call = begun(run, kind, name, **known)
    call.output = output
    settle(call, "error" if error else "ok", error)
    return call
