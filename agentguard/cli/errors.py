"""What a command may fail with, and the one place where failures become a line on stderr.

AgentGuardError
└── CliError             a message, a hint, an exit code
    └── MissingExtraError     the server parts are not installed
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer
from typer.core import TyperGroup

from agentguard.errors import AgentGuardError

__all__ = ["CONFLICT", "FAILED", "Boundary", "CliError", "MissingExtraError", "server_extra"]

FAILED = 1
CONFLICT = 2


class CliError(AgentGuardError):
    """A failure to be told in one line: `message` says what, `hint` says what to do next."""

    def __init__(self, message: str, *, hint: str = "", exit_code: int = FAILED) -> None:
        super().__init__(message)
        self.hint = hint
        self.exit_code = exit_code


class MissingExtraError(CliError):
    """A command needs the parts of the `server` extra and `module` is not installed."""

    def __init__(self, module: str) -> None:
        super().__init__(
            f"this command needs the server parts, and {module} is not installed",
            hint="pip install 'agentguard[server]'",
        )


@contextmanager
def server_extra() -> Iterator[None]:
    """Wrap the imports of server parts: raises MissingExtraError where a library is absent."""
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").startswith("agentguard"):
            raise
        raise MissingExtraError(error.name or str(error)) from error


class Boundary(TyperGroup):
    """The root command: every expected failure ends here as one line and an exit code."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command; raises typer.Exit for an expected failure unless --debug is given."""
        try:
            return super().invoke(ctx)
        except AgentGuardError as error:
            if ctx.params.get("debug"):
                raise
            from agentguard.cli.terminal import complain

            complain(str(error), getattr(error, "hint", ""))
            raise typer.Exit(getattr(error, "exit_code", FAILED)) from None
