"""`RetryGuard`: how often a call that fails may be tried again."""

from __future__ import annotations

import threading
from typing import ClassVar, Final

from agentguard.errors import Refused, RetryLimitExceeded
from agentguard.guards.arguments import whole_number
from agentguard.guards.call import Call
from agentguard.guards.guard import Guard, Mode, OnError
from agentguard.guards.verdict import Verdict

__all__ = ["RetryGuard"]

_MOST_KEPT: Final = 1_000


class RetryGuard(Guard):
    """Stops an agent that calls a failing tool, or model, once more than it may.

        RetryGuard(max_retries=3)

    With 3, a tool that failed may be called three times more; the call after that is refused. One
    that works in between may fail anew. Retries that a model's client makes by itself are bounded
    by the client, and are one call here.

    Raises:
        ConfigurationError: `max_retries` is below 1.
    """

    name: ClassVar[str] = "retry"
    error: ClassVar[type[Refused]] = RetryLimitExceeded

    def __init__(
        self, max_retries: int = 3, *, mode: Mode = "enforce", on_error: OnError = "open"
    ) -> None:
        super().__init__(mode=mode, on_error=on_error)
        self._most = whole_number("max_retries", max_retries, 1)
        self._failures: dict[tuple[str, str], int] = {}
        """How often in a row each tool and model failed."""
        self._lock = threading.Lock()

    def on_start(self, call: Call) -> Verdict | None:
        """Refuses what has failed too often."""
        failures = self._failures.get((call.kind, call.name), 0)
        if failures <= self._most:
            return None
        return self.stop(
            f"{call.name} failed {failures} times in a row, and was tried again "
            f"{failures - 1} times, which is the limit",
            limit=self._most,
            used=failures,
            unit="retries",
        )

    def on_end(self, call: Call) -> Verdict | None:
        """Counts a failure, and forgets all of them where it worked."""
        key = (call.kind, call.name)
        with self._lock:
            if call.outcome == "error":
                if len(self._failures) >= _MOST_KEPT and key not in self._failures:
                    self._failures.pop(next(iter(self._failures)))
                self._failures[key] = self._failures.get(key, 0) + 1
            elif call.outcome == "ok":
                self._failures.pop(key, None)
        return None
