"""The conversation with the collector about a shared budget that one process spends by slices.

A call is checked against the slice, in memory: that is `slice`. Before it runs low it is exchanged
for a larger one in the background; what was spent is reported every second; what is not used goes
back when the process is idle, forks or ends, and, when it dies, with the slice's expiry.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Literal, get_args
from uuid import uuid4

from agentguard.budgets import leasing
from agentguard.budgets.client import TIMEOUT, ControlClient, budget_path, settings
from agentguard.budgets.ledger import Shortfall
from agentguard.budgets.shared_errors import BudgetRefused, BudgetUnreachable
from agentguard.budgets.slice import NOTHING, Slice, as_json, positive
from agentguard.budgets.spend import Spend
from agentguard.errors import ConfigurationError

__all__ = ["LeasedLedger", "Unreachable"]

Unreachable = Literal["closed", "open"]

_PATIENCE: Final = 4.0
"""Seconds that a call waits for the collector in all, behind other requests too."""
_ASK_AGAIN_AFTER: Final = 0.05
_REFUSED_FOR: Final = 0.25
_DOWN_FOR: Final = 1.0
_IDLE_AFTER: Final = 2.0


class LeasedLedger(Slice):
    """A `Ledger` of the shared budget `name`; `scope_value` says whose pot of it.

    Where the collector cannot be reached, what is leased may be spent until it expires, `ttl`
    seconds after the last answer. From then on calls are refused, or, with `unreachable="open"`,
    let out and reported later. Raises BudgetUnreachable and BudgetRefused when it is made, for
    the limits are the server's; `ConfigurationError` for what cannot be meant.

    `reserve` takes microseconds while the slice lasts. Where it does not, it asks the collector:
    milliseconds, and at most four seconds.
    """

    def __init__(
        self,
        name: str,
        scope_value: str | None = None,
        unreachable: Unreachable = "closed",
        *,
        scope: str | None = None,
        ttl: float = 30.0,
        client: ControlClient | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if unreachable not in get_args(Unreachable):
            raise ConfigurationError(
                f"unreachable={unreachable!r}: it is one of {get_args(Unreachable)}."
            )
        if not 2 <= ttl <= 3600:
            raise ConfigurationError(f"ttl={ttl!r}: a lease lasts 2 to 3600 seconds.")
        self.name = name
        self._open = unreachable == "open"
        self._ttl = ttl
        self._client = client or ControlClient.from_settings()
        super().__init__(clock)
        self._scope_value = self._read_terms(scope_value, scope)
        leasing.know(self)

    def _read_terms(self, scope_value: str | None, scope: str | None) -> str:
        """Learn the limits, and whose pot it is."""
        if not self._client.has_key:
            raise BudgetRefused(
                f"the shared budget {self.name!r} needs an API key: set AGENTGUARD_API_KEY"
            )
        terms = self._ask("GET", "terms")
        kept_per = str(terms["scope"])
        self._learn(terms)
        if kept_per == "project":
            return ""
        if kept_per == "service":
            return scope_value or settings().service_name or ""
        if scope is not None and scope != kept_per:
            raise BudgetRefused(
                f"the shared budget {self.name!r} is kept per {kept_per}: give the guard "
                f'per="{kept_per}"'
            )
        return scope_value or ""

    def _fresh_state(self) -> None:
        super()._fresh_state()
        self._asking = threading.Lock()
        """Held while the collector is asked."""
        self._pending: dict[str, Any] | None = None
        """A request for a slice whose answer never came."""
        self._ended: list[tuple[str, Spend]] = []
        """Leases that ended here, and what was spent under them: not reported yet."""
        self._down_until = 0.0
        self._down_because = ""

    def _runs_low(self) -> None:
        leasing.wake(self)

    def _ask_for_more(self, amount: Spend) -> Shortfall | None:
        known = self._refused
        if known is not None and self._clock() < known[0] and _covers(amount, known[1]):
            return known[2]
        # The clock of the leases may be another one: how long a thread waits is real time.
        deadline = time.monotonic() + _PATIENCE
        if not self._asking.acquire(timeout=_PATIENCE):
            return self._without_answer(amount, self._too_slow())
        try:
            return self._ask_until(deadline, amount)
        finally:
            self._asking.release()

    def _ask_until(self, deadline: float, amount: Spend) -> Shortfall | None:
        short: Shortfall | None = None
        for attempt in range(2):
            if self._take(amount):
                return None
            try:
                answer = self._lease(amount, deadline)
            except BudgetUnreachable as problem:
                return self._without_answer(amount, problem)
            except BudgetRefused as problem:
                return self._objection(amount, str(problem))
            if self._take(amount):
                return None
            short = self._shortfall(amount)
            # Others may be about to give back what they hold and do not use.
            if attempt or answer is None or not any(self._others_held):
                break
            time.sleep(_ASK_AGAIN_AFTER)
        assert short is not None  # noqa: S101 - set by each turn that does not return
        with self._lock:
            self._refused = (self._clock() + _REFUSED_FOR, amount, short)
        return short

    def _too_slow(self) -> BudgetUnreachable:
        return BudgetUnreachable(f"the collector at {self._client.base} does not answer in time")

    def _lease(self, amount: Spend, deadline: float | None = None) -> dict[str, Any] | None:
        """Exchange the slice for one that the amount fits into, if there is one.

        With `_asking` held. A request whose answer never came is asked again first.
        """
        if self._clock() < self._down_until:
            raise BudgetUnreachable(self._down_because)
        if self._pending is not None:
            self._exchange(self._pending, deadline)
            if self._fits(amount):
                return None
        with self._lock:
            needed = self._needed(amount)
            wanted = self._wanted(needed)
            self._pending = {
                "id": uuid4().hex,
                "amount": as_json(wanted),
                "minimum": as_json(needed),
                "scope_value": self._scope_value,
                "ttl_s": self._ttl,
                "replaces": self._id,
                "replaced_spent": as_json(self._used),
            }
        return self._exchange(self._pending, deadline)

    def _exchange(self, request: dict[str, Any], deadline: float | None = None) -> dict[str, Any]:
        """Send a request for a slice. On an answer it is the lease, or nothing has changed."""
        timeout = TIMEOUT
        if deadline is not None:
            # Half of what remains: the client sends again where a kept connection broke.
            timeout = min(TIMEOUT, (deadline - time.monotonic()) / 2)
            if timeout <= 0:
                raise self._too_slow()
        leasing.tend_often(self)
        began = self._clock()
        try:
            answer = self._ask("POST", "reserve", request, timeout)
        except BudgetUnreachable as problem:
            self._is_down(problem)
            raise
        except BudgetRefused:
            self._pending = None
            raise
        try:
            if not self._put_in_place(request, answer, began):
                # It came too late: the lease is another one by now, or over.
                self._ended.append((request["id"], NOTHING))
        finally:
            # Last, for in between the ledger would not look busy and be forgotten.
            self._pending = None
        return answer

    def _is_down(self, problem: BudgetUnreachable) -> None:
        self._down_until = self._clock() + _DOWN_FOR
        self._down_because = str(problem)

    def _without_answer(self, amount: Spend, problem: BudgetUnreachable) -> Shortfall | None:
        if self._open:
            leasing.warn_open(self.name, str(problem))
            self._take_unleased(amount)
            return None
        return self._objection(
            amount,
            f"{problem}; nothing is leased of the shared budget {self.name!r} any more. Check the "
            'collector, or allow calls without it with unreachable="open"',
        )

    def _objection(self, amount: Spend, because: str) -> Shortfall:
        short = self._shortfall(amount)
        return short._replace(because=because)

    # In the background, by `leasing`.

    def tend(self, low: bool = False) -> bool:
        """Report what was spent, renew, give back: whatever is due. Raises nothing.

        Returns whether there is anything that will be due.
        """
        try:
            with self._asking:
                try:
                    self._tend(low)
                except BudgetUnreachable as problem:
                    # Before the lock is free: a call that waits for it need not try as well.
                    self._is_down(problem)
        except BudgetRefused as problem:
            leasing.complain(self.name, str(problem))
        return self.is_busy

    @property
    def is_busy(self) -> bool:
        """Whether anything is leased, or not reported yet."""
        return self._id is not None or self._pending is not None or bool(self._ended)

    def _tend(self, low: bool) -> None:
        self._report_ended()
        now = self._clock()
        if self._pending is not None or (low and self._id is not None):
            self._lease(NOTHING)
            return
        if self._id is None:
            return
        with self._lock:
            in_flight = any(self._held)
            idle = now - self._touched > _IDLE_AFTER
            due = now - self._extended > self._ttl / 3
            has_news = self._used != self._told
        if idle and not in_flight:
            self.give_back()
        elif has_news or due or (idle and self._spare()):
            self._report(give_back=idle)

    def _report(self, give_back: bool) -> None:
        began = self._clock()
        with self._lock:
            lease, used = self._id, self._used
            if give_back:
                self._leased = used + Spend(*self._held)
                self._leased = Spend(*(self._limited(at, n) for at, n in enumerate(self._leased)))
                self._reckon()
            keep = positive(self._leased - used)
        request = {
            "id": lease,
            "spent": as_json(used),
            "final": False,
            "ttl_s": self._ttl,
            **({"keep": as_json(keep)} if give_back else {}),
        }
        try:
            answer = self._ask("POST", "settle", request)
        except BudgetRefused:
            self._lose()
            raise
        with self._lock:
            if self._id != lease:
                return
            self._told = used
            if answer["state"] == "open":
                self._last(answer, began)
            else:
                self._leased = used
                self._expires = 0.0
            self._learn(answer)
        if answer["state"] != "open":
            self._lose()

    def _lose(self) -> None:
        """The lease is over at the server: what is spent from here on is another's."""
        with self._lock:
            if self._id is not None and self._used != self._told:
                self._ended.append((self._id, self._used))
            self._end_lease()

    def give_back(self) -> None:
        """End the lease and report what was spent. Raises BudgetUnreachable, BudgetRefused."""
        with self._lock:
            if self._id is not None:
                self._ended.append((self._id, self._used))
                self._end_lease()
        self._report_ended()

    def _report_ended(self) -> None:
        while self._ended:
            lease, used = self._ended[0]
            try:
                answer = self._ask(
                    "POST", "settle", {"id": lease, "spent": as_json(used), "final": True}
                )
            except BudgetRefused as problem:
                leasing.complain(self.name, str(problem))
            else:
                with self._lock:
                    self._learn(answer)
            self._ended.pop(0)

    def close(self) -> None:
        """The process ends: give back what is leased, and say what was spent. Raises nothing."""
        if not self._asking.acquire(timeout=1.0):
            return
        try:
            if self._pending is not None:
                self._exchange(self._pending)
            self.give_back()
        except (BudgetUnreachable, BudgetRefused) as problem:
            leasing.complain(self.name, str(problem))
        finally:
            self._asking.release()

    def after_fork(self) -> None:
        """The child has leased nothing, and begins with nothing in flight."""
        limits = self._limits
        self._fresh_state()
        self._limits = limits

    def _ask(
        self, method: str, operation: str, body: object = None, timeout: float = TIMEOUT
    ) -> dict[str, Any]:
        return self._client.ask(method, budget_path(self.name, operation), body, timeout)


def _covers(amount: Spend, refused: Spend) -> bool:
    """Whether the amount needs at least what was refused."""
    return all(want >= no for want, no in zip(amount, refused, strict=True))
