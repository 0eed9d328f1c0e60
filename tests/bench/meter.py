"""What processes use: CPU time and memory, theirs and their children's."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Event, Thread
from types import TracebackType
from typing import Self

import psutil


def cpu_seconds(processes: list[psutil.Process]) -> float:
    """Return the user and system time that living `processes` have used so far."""
    times = [process.cpu_times() for process in processes]
    return sum(spent.user + spent.system for spent in times)


def wait_for(
    condition: Callable[[], bool], what: str, timeout: float = 120.0, every: float = 0.2
) -> None:
    """Poll until `condition` holds; raise TimeoutError, naming `what`, when it does not in time."""
    until = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > until:
            raise TimeoutError(f"{what} did not happen within {timeout:.0f} s")
        time.sleep(every)


def wait_until_quiet(processes: list[psutil.Process], busy: float = 0.05) -> None:
    """Wait until the processes use less than `busy` of a core for a second: merges are done."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        before = cpu_seconds(processes)
        time.sleep(1.0)
        if cpu_seconds(processes) - before < busy:
            return


class MemoryMeter:
    """Samples the resident memory of processes, summed; `peak` is in bytes."""

    def __init__(self, processes: list[psutil.Process]) -> None:
        self.peak = 0
        self._processes = processes
        self._done = Event()
        self._thread = Thread(target=self._sample, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()

    def _sample(self) -> None:
        while not self._done.wait(0.1):
            self.peak = max(self.peak, sum(p.memory_info().rss for p in self._processes))
