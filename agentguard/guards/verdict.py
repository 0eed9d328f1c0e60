"""What a guard says of a call, and what is kept of it when that ended the run."""

from dataclasses import dataclass
from enum import StrEnum

from agentguard.errors import Refused, RunStopped

__all__ = ["Action", "Number", "Stop", "Verdict"]

Number = int | float


class Action(StrEnum):
    """What follows from a verdict: the values of `agentguard.guard.action`."""

    DENY = "deny"
    """This operation is refused, the run goes on."""
    STOP = "stop"
    """This operation is refused, and so is every later model call of the run."""
    WARN = "warn"
    """Nothing is refused; it is logged, and recorded as a span."""
    OBSERVE = "observe"
    """Nothing is refused; it is recorded as a span."""
    ERROR = "error"
    """The guard itself failed."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A guard's objection to a call; no objection is None.

    `limit` and `used` are in `unit`, such as `calls`, `tokens`, `USD` or `seconds`; `used` is what
    was reached, or would have been with this call.
    """

    action: Action
    reason: str
    error: type[Refused] = RunStopped
    limit: Number | None = None
    used: Number | None = None
    unit: str = ""
    cuts_streams: bool = False
    """Whether other answers that are being streamed end too."""


@dataclass(frozen=True, slots=True)
class Stop:
    """Why a run, or one operation of it, was stopped: which guard, its limit, and the figures."""

    guard: str
    action: Action
    reason: str
    run_id: str
    run_name: str
    error: type[Refused] = RunStopped
    limit: Number | None = None
    used: Number | None = None
    unit: str = ""
    at: float = 0.0
    """Unix seconds."""
    cuts_streams: bool = False
    """Whether answers that are being streamed end here too: so for deadlines and stops by people,
    while those that a budget let begin are paid for and may end."""

    def exception(self) -> Refused:
        """A new exception that says so."""
        return self.error(f"{self.reason} (run {self.run_name}, {self.guard} guard)", self)
