"""The project's own prices: fetched from the collector in the background, and kept up to date.

One daemon thread asks, from when a process that has an endpoint and a key counts dollars. An agent
never waits for it: what is counted before the first answer is counted by the other prices.
"""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from agentguard.config import Settings
    from agentguard.prices.rule import PriceRule

__all__ = ["PriceWatcher", "project_rules", "wanted", "watch"]

log = logging.getLogger("agentguard")

_EVERY: Final = 180.0
"""Seconds after which prices are asked for again."""
_FIRST_PAUSE: Final = 1.0
_LONGEST_PAUSE: Final = 60.0
_TIMEOUT: Final = 10.0


class PriceWatcher:
    """Fetches one project's prices, from `start` until `close`. Begins anew after a fork."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._closed = threading.Event()
        self._anew()

    def _anew(self) -> None:
        from agentguard.budgets.client import ControlClient

        found = self._settings
        self._client = ControlClient(found.endpoint, found.api_key, dict(found.headers))
        self._start_once = threading.Lock()

    @property
    def has_key(self) -> bool:
        """Whether there is anything to ask with."""
        return self._client.has_key

    def start(self) -> None:
        """Fetch in the background, unless that has begun."""
        if not self._closed.is_set() and self._start_once.acquire(blocking=False):
            threading.Thread(
                target=self._watch, name="agentguard-project-prices", daemon=True
            ).start()

    def close(self) -> None:
        """Fetch no longer; the prices that are known stay in force."""
        self._closed.set()
        self._client.close()

    def after_fork(self) -> None:
        """The child has no thread, and needs one where its parent had one."""
        began, closed = self._start_once.locked(), self._closed.is_set()
        self._closed = threading.Event()
        self._anew()
        if closed:
            self._closed.set()
        elif began:
            self.start()

    def _watch(self) -> None:
        from agentguard.budgets.shared_errors import BudgetRefused, BudgetUnreachable

        client, closed, version, pause = self._client, self._closed, "", _FIRST_PAUSE
        while not closed.is_set():
            wait = _EVERY
            try:
                answer = client.ask("GET", "/prices", None, _TIMEOUT, etag=version)
                if answer and not closed.is_set():
                    self._heard(answer)
                    version = str(answer["version"])
                pause = _FIRST_PAUSE
            except BudgetUnreachable as problem:
                log.debug("The project's prices cannot be fetched: %s", problem)
                wait, pause = pause, min(2 * pause, _LONGEST_PAUSE)
            except BudgetRefused as problem:
                # An older collector, or that of another vendor: it has no prices to tell.
                log.debug("The project's prices are not fetched: %s", problem)
            except Exception:
                log.warning("The project's prices cannot be used", exc_info=True)
            closed.wait(wait)

    def _heard(self, answer: dict[str, Any]) -> None:
        from agentguard.prices.source import use_project_rules

        rules = project_rules(answer["prices"])
        if _current is self:
            use_project_rules(rules)


def project_rules(entries: list[dict[str, object]]) -> tuple[PriceRule, ...]:
    """The rules of what the collector tells, the one that wins first.

    Raises PriceOverrideError for what is not a price.
    """
    from agentguard.prices.overrides import checked, override_rules

    return override_rules([checked(entry) for entry in entries], "project")


_current: PriceWatcher | None = None
_wanted = False


def watch(settings: Settings) -> PriceWatcher | None:
    """Count with the project's prices from now on, where the settings have an endpoint and a key.

    There is one watcher in a process: the latest.
    """
    global _current
    watcher = PriceWatcher(settings)
    if not watcher.has_key or settings.disabled:
        return None
    if _current is not None:
        from agentguard.prices.source import use_project_rules

        _current.close()
        _current = None
        # They may be another project's.
        use_project_rules(())
    _current = watcher
    if _wanted:
        watcher.start()
    return watcher


def wanted() -> None:
    """Somebody counts dollars: fetch the prices, now or as soon as it is known from where."""
    global _wanted
    _wanted = True
    if _current is not None:
        _current.start()


def _after_fork() -> None:
    if _current is not None:
        _current.after_fork()


os.register_at_fork(after_in_child=_after_fork)
