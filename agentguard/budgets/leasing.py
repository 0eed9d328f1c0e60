"""The thread that looks after this process's leases, and what happens to them at its end."""

from __future__ import annotations

import atexit
import logging
import multiprocessing.util
import os
import threading
import time
from typing import TYPE_CHECKING, Final
from weakref import WeakSet

if TYPE_CHECKING:
    from agentguard.budgets.lease import LeasedLedger

__all__ = ["complain", "give_back_all", "know", "tend_often", "wake", "warn_open"]

log = logging.getLogger("agentguard")

_EVERY: Final = 1.0
_TIME_AT_EXIT: Final = 5.0
_SAID_AGAIN_AFTER: Final = 60.0


class _Keeper:
    def __init__(self) -> None:
        self.all: WeakSet[LeasedLedger] = WeakSet()
        self.anew()

    def anew(self) -> None:
        """No thread, and nothing to do: so it begins, and again in the child of a fork."""
        self.lock = threading.Lock()
        self.woken = threading.Event()
        self.active: set[LeasedLedger] = set()
        """Those that have leased something. They are kept until they have reported all."""
        self.low: set[LeasedLedger] = set()
        self.thread: threading.Thread | None = None
        self.said: dict[str, float] = {}

    def begin(self) -> None:
        with self.lock:
            if self.thread is None or not self.thread.is_alive():
                self.thread = threading.Thread(
                    target=self.run, args=(self.woken,), name="agentguard-leases", daemon=True
                )
                self.thread.start()

    def run(self, woken: threading.Event) -> None:
        while True:
            woken.wait(_EVERY)
            woken.clear()
            with self.lock:
                low, self.low = self.low, set()
                others = self.active - low
            for ledger in low:
                ledger.tend(low=True)
            for ledger in others:
                self.tend(ledger)
            # Without these names a ledger could not be forgotten until the next turn.
            low, others, ledger = set(), set(), None  # type: ignore[assignment]
            with self.lock:
                if not self.active and not self.low:
                    self.thread = None
                    return

    def tend(self, ledger: LeasedLedger) -> None:
        if not ledger.tend():
            with self.lock:
                # Nothing was leased in between: that begins with `tend_often`, under its own lock.
                if not ledger.is_busy:
                    self.active.discard(ledger)

    def after_fork(self) -> None:
        self.anew()
        for ledger in list(self.all):
            ledger.after_fork()


_keeper = _Keeper()


def know(ledger: LeasedLedger) -> None:
    """Have the ledger begin anew in the child of a fork."""
    _keeper.all.add(ledger)


def tend_often(ledger: LeasedLedger) -> None:
    """Look after the ledger, every second, until it has nothing leased and all is reported."""
    with _keeper.lock:
        _keeper.active.add(ledger)
    _keeper.begin()


def wake(ledger: LeasedLedger) -> None:
    """Renew the ledger's lease now: it runs low."""
    with _keeper.lock:
        _keeper.active.add(ledger)
        _keeper.low.add(ledger)
    _keeper.begin()
    _keeper.woken.set()


def give_back_all() -> None:
    """Give back what is leased and report what was spent, within five seconds."""
    end = time.monotonic() + _TIME_AT_EXIT
    with _keeper.lock:
        waiting, _keeper.active = list(_keeper.active), set()
    for ledger in waiting:
        if time.monotonic() >= end:
            log.warning("not all shared budgets could be given back: they are with their expiry")
            return
        ledger.close()


def complain(name: str, problem: str) -> None:
    """Log, once a minute for each budget, that it cannot be reported to."""
    _say(name, "the shared budget %r: %s", problem)


def warn_open(name: str, problem: str) -> None:
    """Log, once a minute for each budget, that calls go out without it."""
    _say(name, "calls go out without the shared budget %r: %s", problem)


def _say(name: str, text: str, problem: str) -> None:
    now = time.monotonic()
    if now >= _keeper.said.get(text + name, 0.0):
        _keeper.said[text + name] = now + _SAID_AGAIN_AFTER
        log.warning(text, name, problem)


def _at_worker_exit(_: object = None) -> None:
    """The workers of multiprocessing run its finalizers, and not those of `atexit`."""
    multiprocessing.util.Finalize(None, give_back_all, exitpriority=0)


atexit.register(give_back_all)
os.register_at_fork(after_in_child=_keeper.after_fork)
multiprocessing.util.register_after_fork(_keeper, _at_worker_exit)
if multiprocessing.parent_process() is not None:
    _at_worker_exit()
