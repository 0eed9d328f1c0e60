"""How a running `up` is asked to end: signals, or the end of its stdin."""

import asyncio
import os
import signal
import sys
from types import TracebackType
from typing import Self

from agentguard.cli.supervisor import Supervisor

__all__ = ["Ending"]

FORCED = 130


class Ending:
    """Cancels the task that enters it at the first request to end, and kills at the second.

    Leaving the block after such a cancellation is an ordinary end, not an error.
    """

    def __init__(self, supervisor: Supervisor, *, with_parent: bool) -> None:
        self._supervisor = supervisor
        self._with_parent = with_parent
        self._asked = False
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._task = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, self._ask)
        if self._with_parent:
            loop.add_reader(sys.stdin.fileno(), self._read)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        return self._asked and isinstance(error, asyncio.CancelledError)

    def _ask(self) -> None:
        if self._asked:
            self._supervisor.kill()
            os._exit(FORCED)
        self._asked = True
        if self._task is not None:
            self._task.cancel()

    def _read(self) -> None:
        if not os.read(sys.stdin.fileno(), 4096):
            asyncio.get_running_loop().remove_reader(sys.stdin.fileno())
            self._ask()
