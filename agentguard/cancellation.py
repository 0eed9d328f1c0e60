"""Ending the asyncio task that is inside a run, when the run is stopped from outside of it.

As `asyncio.timeout` does: the task is cancelled, and the cancellation leaves the run as the
exception that says why.
"""

import asyncio
from collections.abc import Callable

from agentguard.guards.state import RunState
from agentguard.guards.verdict import Stop

__all__ = ["CancelOnStop"]


class CancelOnStop:
    """Armed while a task is inside a run, or waits for a model. Does nothing outside of asyncio.

    Stops of the runs around it count as well.
    """

    __slots__ = ("_loop", "_stop", "_takes_back", "_task")

    def __init__(self, run: RunState) -> None:
        self._stop: Stop | None = None
        self._task: asyncio.Task[object] | None = None
        self._takes_back: list[Callable[[], None]] = []
        try:
            self._loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._task = asyncio.current_task(self._loop)
        self._takes_back = [each.on_stop(self._stopped) for each in run.chain]

    def _stopped(self, stop: Stop) -> None:
        if stop.cuts_streams and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._cancel, stop)

    def _cancel(self, stop: Stop) -> None:
        if self._takes_back and self._task is not None and self._stop is None:
            self._stop = stop
            self._task.cancel()

    def disarm(self, error: BaseException | None) -> BaseException | None:
        """Leave the run with `error`; the exception to raise in its place, if it is ours."""
        for take_back in self._takes_back:
            take_back()
        self._takes_back = []
        if self._stop is None or self._task is None:
            return None
        # As asyncio.timeout: a cancellation that somebody else asked for as well goes on.
        if self._task.uncancel() <= 0 and isinstance(error, asyncio.CancelledError):
            return self._stop.exception()
        return None
