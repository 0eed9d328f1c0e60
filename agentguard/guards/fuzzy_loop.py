"""`FuzzyLoopGuard`: one tool too often, or two in turns, whatever they are called with."""

from __future__ import annotations

import threading
from collections import deque
from typing import ClassVar

from agentguard.errors import LoopDetected, Refused
from agentguard.guards.arguments import whole_number
from agentguard.guards.call import Call
from agentguard.guards.guard import Guard, Mode, OnError
from agentguard.guards.verdict import Verdict

__all__ = ["FuzzyLoopGuard"]


class FuzzyLoopGuard(Guard):
    """Stops an agent by the names of its tools alone.

        FuzzyLoopGuard(max_tool_repeats=5, max_alternations=3, window=10)

    The tool call is refused with which one tool would have been called `max_tool_repeats` times
    within the last `window` calls, and the one with which two tools would have taken turns
    `max_alternations` times: ABABAB. Reading many files is that as well: `LoopGuard` tells them
    apart.

    Raises:
        ConfigurationError: a number is below 2, or `window` too small for what is looked for.
    """

    name: ClassVar[str] = "fuzzy_loop"
    error: ClassVar[type[Refused]] = LoopDetected

    def __init__(
        self,
        max_tool_repeats: int = 5,
        max_alternations: int = 3,
        window: int = 10,
        *,
        mode: Mode = "enforce",
        on_error: OnError = "open",
    ) -> None:
        super().__init__(mode=mode, on_error=on_error)
        whole_number("max_tool_repeats", max_tool_repeats, 2)
        whole_number("max_alternations", max_alternations, 2)
        # Smaller ones would find nothing.
        whole_number("window", window, max(max_tool_repeats, 2 * max_alternations))
        self._repeats = max_tool_repeats
        self._turns = 2 * max_alternations
        self._latest: deque[str] = deque(maxlen=window)
        self._lock = threading.Lock()

    def on_start(self, call: Call) -> Verdict | None:
        """Refuses a tool by how often it was called of late."""
        if call.kind != "tool":
            return None
        with self._lock:
            latest = self._latest
            latest.append(call.name)
            times = latest.count(call.name)
            if times >= self._repeats:
                reason = f"{call.name} comes {times} times within {len(latest)} tool calls"
                return self.stop(reason, limit=self._repeats, used=times, unit="calls")
            if len(latest) < self._turns:
                return None
            turns = list(latest)[-self._turns :]
        one, other = turns[:2]
        if one == other or turns != [one, other] * (self._turns // 2):
            return None
        rounds = self._turns // 2
        reason = f"{one} and {other} take turns, {rounds} times in a row"
        return self.stop(reason, limit=rounds, used=rounds, unit="turns")
