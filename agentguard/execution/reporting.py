"""A process's reports to the desk: after each model call, at its end, and a few times a second."""

from __future__ import annotations

import atexit
import multiprocessing.util
import os
import threading
from typing import ClassVar, Final

from agentguard.execution.desk import Line
from agentguard.execution.receipt import Receipt
from agentguard.guards.call import Call
from agentguard.guards.guard import Guard
from agentguard.guards.state import RunState
from agentguard.guards.tally import Tally

__all__ = ["ReportGuard", "Reporter"]

_EVERY: Final = 0.25
"""Seconds between two reports: how long it takes at most until a stop in one process is one in all.
"""


class Reporter:
    """Tells the desk what the process did, and the process what the desk says."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._run: RunState | None = None
        self._news = threading.Event()

    def watch(self, run: RunState) -> None:
        """Report what this run does, from now on until the process ends."""
        self._run = run
        run.on_stop(lambda _: self._news.set())
        os.register_at_fork(after_in_child=self._begin_in_child)
        atexit.register(self.report)
        # The workers of multiprocessing run its finalizers at their end, not those of atexit.
        multiprocessing.util.register_after_fork(self, Reporter._report_at_worker_end)
        if multiprocessing.parent_process() is not None:
            self._report_at_worker_end()
        self.report()
        self._start()

    def report(self) -> None:
        """Report now. Without a desk nothing is reported: the parent is gone."""
        run = self._run
        if run is None:
            return
        try:
            why = self._line.ask("report", os.getpid(), Receipt.of(run))
        except (OSError, EOFError):
            return
        if why is not None and run.stopped is None:
            run.latch(why.stop(run))

    def _start(self) -> None:
        threading.Thread(target=self._keep_reporting, name="agentguard-exec", daemon=True).start()

    def _keep_reporting(self) -> None:
        while True:
            self._news.wait(_EVERY)
            self._news.clear()
            self.report()

    def _begin_in_child(self) -> None:
        self._line.after_fork()
        self._news = threading.Event()
        if self._run is not None:
            # What the parent did is in the parent's report.
            self._run.tally = Tally()
            self._start()

    def _report_at_worker_end(self) -> None:
        multiprocessing.util.Finalize(None, self.report, exitpriority=0)


class ReportGuard(Guard):
    """Reports after each model call: a process may be killed at any time."""

    name: ClassVar[str] = "report"

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self._reporter = reporter

    def on_end(self, call: Call) -> None:
        """Report what was sent and has ended."""
        if call.is_model_call and call.outcome != "refused":
            self._reporter.report()
