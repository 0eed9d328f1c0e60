"""Every exception AgentGuard raises, in one tree.

```
Exception
└── AgentGuardError
    ├── ConfigurationError
    └── Refused                    an operation was refused; the run goes on
        ├── ToolDenied
        └── RunStopped             the run was stopped, and stays stopped
            ├── BudgetExceeded
            ├── DepthExceeded
            ├── LoopDetected
            ├── OutputTooLarge
            ├── RateLimitExceeded
            ├── RetryLimitExceeded
            └── TimeoutExceeded
```

All of them are plain `Exception`s: a `BaseException` hangs or is eaten by agent frameworks.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentguard.guards.verdict import Stop

__all__ = [
    "AgentGuardError",
    "BudgetExceeded",
    "ConfigurationError",
    "DepthExceeded",
    "LoopDetected",
    "OutputTooLarge",
    "RateLimitExceeded",
    "Refused",
    "RetryLimitExceeded",
    "RunStopped",
    "TimeoutExceeded",
    "ToolDenied",
]


class AgentGuardError(Exception):
    """The root of the tree: catch it to catch everything AgentGuard raises."""


class ConfigurationError(AgentGuardError):
    """A setting has a value that cannot be used.

    The message names where the value came from (argument, variable or file), the value itself
    unless it is a secret, and what is allowed.
    """


class Refused(AgentGuardError):  # noqa: N818 - it says what happened to the operation
    """An operation was refused before it began. `stop` tells which guard refused it, and why."""

    def __init__(self, message: str, stop: "Stop | None" = None) -> None:
        super().__init__(message, stop)
        self.stop = stop

    def __str__(self) -> str:
        return str(self.args[0])

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class ToolDenied(Refused):
    """A tool may not be called, or not like this. The agent may go on without it."""


class RunStopped(Refused):
    """The run was stopped. Every further model call in it is refused with the same reason."""


class BudgetExceeded(RunStopped):
    """The next call does not fit into what is left of a budget of calls, tokens or US dollars."""


class DepthExceeded(RunStopped):
    """Agents call agents deeper than is allowed."""


class LoopDetected(RunStopped):
    """The agent does the same things over and over, without progress."""


class OutputTooLarge(RunStopped):
    """A model or a tool gave back more than is allowed."""


class RateLimitExceeded(RunStopped):
    """More calls in a minute than are allowed."""


class RetryLimitExceeded(RunStopped):
    """A failing call was tried again more often than is allowed."""


class TimeoutExceeded(RunStopped):
    """The run took longer than it may, or was idle for longer than it may be."""
