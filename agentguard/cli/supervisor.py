"""Children in order: started one after the other, kept alive together, ended in reverse."""

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from agentguard.cli.child import Child

__all__ = ["Supervisor"]


class Supervisor:
    """Ends, when its block is left, whatever was started in it; the last one started goes first."""

    def __init__(self) -> None:
        self._children: list[Child] = []

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for child in reversed(self._children):
            await child.stop()

    @property
    def pids(self) -> dict[str, int]:
        """The process id of each child by its role."""
        return {child.role: child.pid for child in self._children}

    async def start(self, child: Child) -> dict[str, Any]:
        """Start a child and return what it says when it is ready; raises CliError if it is not."""
        self._children.append(child)
        await child.start()
        return child.ready

    async def watch(self, restarted: Callable[[], None]) -> None:
        """Keep all children alive until cancelled; raises CliError when one cannot be."""
        try:
            async with asyncio.TaskGroup() as group:
                for child in self._children:
                    group.create_task(child.keep_alive(restarted))
        except ExceptionGroup as failures:
            # Not `except*`: before Python 3.11.4 what is raised there is put into a group again.
            raise failures.exceptions[0] from None

    def kill(self) -> None:
        """End all children at once, whatever they are doing."""
        for child in self._children:
            child.kill()
