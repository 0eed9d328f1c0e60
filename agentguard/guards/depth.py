"""`DepthGuard`: agents that call agents that call agents."""

from __future__ import annotations

from typing import ClassVar

from agentguard.errors import DepthExceeded, Refused
from agentguard.guards.arguments import whole_number
from agentguard.guards.call import Call
from agentguard.guards.guard import Guard, Mode, OnError
from agentguard.guards.verdict import Verdict

__all__ = ["DepthGuard"]


class DepthGuard(Guard):
    """Stops a run in which agents call each other deeper than is allowed.

        DepthGuard(max_depth=3)

    An agent that nobody called is at depth 1. Counted within one process.

    Raises:
        ConfigurationError: `max_depth` is below 1.
    """

    name: ClassVar[str] = "depth"
    error: ClassVar[type[Refused]] = DepthExceeded

    def __init__(
        self, max_depth: int, *, mode: Mode = "enforce", on_error: OnError = "open"
    ) -> None:
        super().__init__(mode=mode, on_error=on_error)
        self._most = whole_number("max_depth", max_depth, 1)

    def on_start(self, call: Call) -> Verdict | None:
        """Refuses the agent that would be one too deep."""
        if call.kind != "agent":
            return None
        callers = [call.name]
        outer = call.enclosing("agent")
        while outer is not None:
            callers.append(outer.name)
            if len(callers) > self._most + 1:
                break
            outer = outer.enclosing("agent")
        if len(callers) <= self._most:
            return None
        chain = " -> ".join(reversed(callers))
        return self.stop(
            f"{chain}: agents call agents {len(callers)} deep, {self._most} is the limit",
            limit=self._most,
            used=len(callers),
            unit="agents",
        )
