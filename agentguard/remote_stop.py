"""Stops from outside of the process: `agentguard stop` reaches the runs that go on here.

While there are runs, one daemon thread asks the collector which stops are in force, and waits
there until they are others. It latches the runs that are meant; a run that begins under a stop
that is known is latched at once. An agent never waits for any of this.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlencode

from agentguard.budgets.shared_errors import BudgetRefused, BudgetUnreachable
from agentguard.guards.record import record
from agentguard.guards.state import RunState, live_runs, on_begin

if TYPE_CHECKING:
    from agentguard.config import Settings

__all__ = ["StopWatcher", "watch"]

log = logging.getLogger("agentguard")

_WAIT: Final = 10.0
"""Seconds that the collector may take to say that nothing changed."""
_FIRST_PAUSE: Final = 0.2
_LONGEST_PAUSE: Final = 2.0
_REFUSED_PAUSE: Final = 30.0
_GOOD_FOR: Final = 15.0
"""Seconds for which a stop counts that nobody has confirmed since."""


@dataclass(frozen=True, slots=True)
class _Order:
    what: str
    target: str
    reason: str

    def is_for(self, run: RunState, service: str) -> bool:
        if self.what == "run":
            return self.target in (run.id, run.trace_id)
        return self.what == "project" or self.target == (run.service or service)

    @property
    def sentence(self) -> str:
        whose = {"run": "the run", "service": f"the service {self.target}"}
        return f"{whose.get(self.what, 'the project')} was stopped: {self.reason}"


class StopWatcher:
    """Watches for one project and service, from `start` until `close`. Begins anew after a fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._service = settings.service_name or ""
        self._closed = False
        self._anew()

    def _anew(self) -> None:
        from agentguard.budgets.client import ControlClient

        found = self._settings
        self._client = ControlClient(found.endpoint, found.api_key, dict(found.headers))
        self._lock = threading.Lock()
        self._begun = threading.Event()
        self._thread: threading.Thread | None = None
        self._orders: list[_Order] = []
        self._as_of = 0.0

    @property
    def has_key(self) -> bool:
        """Whether there is anything to ask with."""
        return self._client.has_key

    def run_begins(self, run: RunState) -> None:
        """Latch the run where a stop is known for it, and see to it that others are heard of."""
        if self._closed:
            return
        if self._orders and time.monotonic() - self._as_of < _GOOD_FOR:
            self._obey(run)
        if self._thread is None:
            self._start()
        self._begun.set()

    def close(self) -> None:
        """Watch no longer; the thread ends."""
        self._closed = True
        self._begun.set()
        self._client.close()

    def after_fork(self) -> None:
        """The child has no thread, and needs one where it goes on with runs."""
        self._anew()
        if not self._closed and live_runs():
            self._start()
            self._begun.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._watch, name="agentguard-stops", daemon=True
                )
                self._thread.start()

    def _watch(self) -> None:
        cursor, pause, client, begun = "", _FIRST_PAUSE, self._client, self._begun
        while not self._closed:
            if not live_runs():
                begun.clear()
                if not live_runs():
                    # What was known gets old while nobody listens.
                    cursor = ""
                    begun.wait()
                    continue
            query = {"after": cursor, "service": self._service, "wait": _WAIT}
            try:
                answer = client.ask("GET", f"/stops/watch?{urlencode(query)}", None, _WAIT + 5)
                cursor = self._heard(answer)
                pause = _FIRST_PAUSE
            except BudgetUnreachable as problem:
                log.debug("Stops cannot be watched: %s", problem)
                cursor = ""
                self._sleep(pause)
                pause = min(2 * pause, _LONGEST_PAUSE)
            except BudgetRefused as problem:
                # An older collector, or that of another vendor: it has no stops to tell of.
                log.debug("Stops are not watched: %s", problem)
                self._sleep(_REFUSED_PAUSE)
            except Exception:
                log.debug("Stops cannot be watched", exc_info=True)
                self._sleep(_LONGEST_PAUSE)

    def _sleep(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while not self._closed and (left := end - time.monotonic()) > 0:
            time.sleep(min(0.5, left))

    def _heard(self, answer: dict[str, Any]) -> str:
        """Obey the stops in force; returns what to watch for changes after."""
        self._orders = [
            _Order(str(each["what"]), str(each["target"]), str(each["reason"]))
            for each in answer["stops"]
        ]
        self._as_of = time.monotonic()
        if self._orders:
            for run in live_runs():
                self._obey(run)
        return str(answer["cursor"])

    def _obey(self, run: RunState) -> None:
        for order in self._orders:
            if run.stopped is None and order.is_for(run, self._service):
                stop = run.stop_for(order.sentence, guard="remote_stop", cuts_streams=True)
                if run.latch(stop):
                    record(stop, run)


_current: StopWatcher | None = None


def watch(settings: Settings) -> StopWatcher | None:
    """Obey stops from now on, where the settings have an endpoint and a key; what ends that.

    There is one watcher in a process: the latest.
    """
    global _current
    watcher = StopWatcher(settings)
    if not watcher.has_key or settings.disabled:
        return None
    if _current is not None:
        _current.close()
    else:
        on_begin(_run_begins)
    _current = watcher
    for run in live_runs():
        watcher.run_begins(run)
    return watcher


def _run_begins(run: RunState) -> None:
    if _current is not None:
        _current.run_begins(run)


def _after_fork() -> None:
    if _current is not None:
        _current.after_fork()


os.register_at_fork(after_in_child=_after_fork)
