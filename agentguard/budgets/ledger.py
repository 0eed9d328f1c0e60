"""What a budget is kept in: spent, held for calls in flight, and left.

A call's estimate is *reserved* before the call goes out and *settled* with what it really used, so
that calls that run at the same time cannot spend the same money.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, NamedTuple, Protocol

from agentguard.budgets.spend import Amount, Limits, Spend, Unit
from agentguard.budgets.window import RollingSum

__all__ = ["Ledger", "LocalLedger", "Shortfall"]


class Shortfall(NamedTuple):
    """The limit that an amount does not fit into, or that was reached; all in `unit`."""

    unit: Unit
    limit: int
    spent: int
    held: int
    """Reserved for calls in flight."""
    wanted: int
    """What did not fit; 0 where a limit was reached by spending."""
    wait: float | None = None
    """Seconds until enough comes back by itself for `wanted` to fit; None where it does not."""
    because: str = ""
    """What else is in the way, in words: the place that keeps the budget does not answer."""

    @property
    def used(self) -> int:
        """Spent and held."""
        return self.spent + self.held

    @property
    def passed(self) -> bool:
        """Whether more was spent than is allowed."""
        return self.spent > self.limit


class Ledger(Protocol):
    """One budget. Methods are called from many threads at once and return within microseconds.

    Every `reserve` that returned None is followed by one `settle` or one `release` of the same
    amount. A reservation that grew is the sum of several, and ends as one.
    """

    def reserve(self, amount: Amount) -> Shortfall | None:
        """Hold the amount, all of it or nothing, in one step.

        It fits where spent + held + amount <= limit for each of the three counts. None means that
        it is held now; otherwise nothing changed, and the first limit that it does not fit into
        is returned.
        """
        ...

    def settle(self, held: Amount, spent: Amount) -> Shortfall | None:
        """End a reservation: `held` is let go, `spent` counts, even where that is over a limit.

        `held` may be zero, for what was spent without a reservation. Returns the limit that what
        is *spent* has now passed, or reached; None while it is below all limits.
        """
        ...

    def release(self, held: Amount) -> None:
        """End a reservation, or give back a part of it: nothing was spent."""
        ...

    @property
    def limits(self) -> Limits:
        """The most that may be spent."""
        ...

    @property
    def left(self) -> Limits:
        """What can be reserved now: the limits less spent and held, and not below 0."""
        ...

    @property
    def spent(self) -> Spend:
        """What was spent, as far as it still counts."""
        ...

    @property
    def held(self) -> Spend:
        """What is reserved for calls in flight."""
        ...


_UNLIMITED: Final = (1 << 59, 1 << 59, 1 << 100)
"""More calls, tokens and pico-dollars than anybody spends."""


class LocalLedger:
    """A budget of this process.

    With `window` it is a rolling one: what was spent comes back that many seconds later, to 1% of
    the window, and never sooner. `clock` gives seconds and does not run backwards.
    """

    __slots__ = (
        "_acquire",
        "_clock",
        "_left_calls",
        "_left_pico",
        "_left_tokens",
        "_limits",
        "_lock",
        "_past",
        "_spent_calls",
        "_spent_pico",
        "_spent_tokens",
        "_unlock",
    )

    def __init__(
        self,
        limits: Limits,
        window: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._limits = limits
        self._clock = clock
        self._past = RollingSum(window) if window is not None else None
        self._lock = threading.Lock()
        # A `with` costs as much again as taking the lock: the two hot methods do without.
        self._acquire = self._lock.acquire
        self._unlock = self._lock.release
        self._spent_calls = self._spent_tokens = self._spent_pico = 0
        # Less what is spent and what is held: below 0 where more was spent than was reserved.
        self._left_calls, self._left_tokens, self._left_pico = (
            most if limit is None else limit for limit, most in zip(limits, _UNLIMITED, strict=True)
        )

    def reserve(self, amount: Amount) -> Shortfall | None:
        """Hold the amount, or say which limit it does not fit into."""
        calls, tokens, pico = amount
        self._acquire()
        try:
            left_calls = self._left_calls - calls
            left_tokens = self._left_tokens - tokens
            left_pico = self._left_pico - pico
            if left_calls >= 0 and left_tokens >= 0 and left_pico >= 0:
                self._left_calls = left_calls
                self._left_tokens = left_tokens
                self._left_pico = left_pico
                return None
            return self._reserve_of_what_came_back(amount)
        finally:
            self._unlock()

    def settle(self, held: Amount, spent: Amount) -> Shortfall | None:
        """Let go of what was held, count what was spent; the limit that was reached, if any."""
        held_calls, held_tokens, held_pico = held
        calls, tokens, pico = spent
        self._acquire()
        try:
            past = self._past
            if past is not None:
                now = self._clock()
                if now >= past.next:
                    self._forget_old(past, now)
                past.add(now, spent)
            self._spent_calls += calls
            self._spent_tokens += tokens
            self._spent_pico += pico
            left_calls = self._left_calls = self._left_calls + held_calls - calls
            left_tokens = self._left_tokens = self._left_tokens + held_tokens - tokens
            left_pico = self._left_pico = self._left_pico + held_pico - pico
            if left_calls > 0 and left_tokens > 0 and left_pico > 0:
                return None
            return self._reached()
        finally:
            self._unlock()

    def release(self, held: Amount) -> None:
        """Let go of what was held."""
        calls, tokens, pico = held
        with self._lock:
            self._left_calls += calls
            self._left_tokens += tokens
            self._left_pico += pico

    @property
    def limits(self) -> Limits:
        """The most that may be spent."""
        return self._limits

    @property
    def left(self) -> Limits:
        """What can be reserved now."""
        with self._lock:
            self._refresh()
            left = (self._left_calls, self._left_tokens, self._left_pico)
        return Limits(
            *(
                None if limit is None else max(0, rest)
                for limit, rest in zip(self._limits, left, strict=True)
            )
        )

    @property
    def spent(self) -> Spend:
        """What was spent and, in a rolling window, has not come back yet."""
        with self._lock:
            self._refresh()
            return Spend(self._spent_calls, self._spent_tokens, self._spent_pico)

    @property
    def held(self) -> Spend:
        """What is reserved for calls in flight."""
        with self._lock:
            return Spend(*(held for _, _, _, held in self._states()))

    def _reserve_of_what_came_back(self, amount: Amount) -> Shortfall | None:
        """The same once more, with what is no longer in the window: its clock is read only then."""
        self._refresh()
        short = self._shortfall(amount)
        if short is None:
            calls, tokens, pico = amount
            self._left_calls -= calls
            self._left_tokens -= tokens
            self._left_pico -= pico
        return short

    def _refresh(self) -> None:
        if self._past is not None:
            self._forget_old(self._past, self._clock())

    def _forget_old(self, past: RollingSum, now: float) -> None:
        calls, tokens, pico = past.expire(now)
        self._left_calls += calls
        self._left_tokens += tokens
        self._left_pico += pico
        self._spent_calls -= calls
        self._spent_tokens -= tokens
        self._spent_pico -= pico

    def _states(self) -> tuple[tuple[Unit, int, int, int], ...]:
        """Each limit: its unit, itself, what is spent, what is held."""
        calls, tokens, pico = (
            most if limit is None else limit
            for limit, most in zip(self._limits, _UNLIMITED, strict=True)
        )
        spent_calls, spent_tokens = self._spent_calls, self._spent_tokens
        spent_pico = self._spent_pico
        return (
            ("calls", calls, spent_calls, calls - spent_calls - self._left_calls),
            ("tokens", tokens, spent_tokens, tokens - spent_tokens - self._left_tokens),
            ("pico_usd", pico, spent_pico, pico - spent_pico - self._left_pico),
        )

    def _shortfall(self, amount: Amount) -> Shortfall | None:
        for (unit, limit, spent, held), wanted in zip(self._states(), amount, strict=True):
            missing = spent + held + wanted - limit
            if missing > 0:
                past = self._past
                wait = None if past is None else past.wait(self._clock(), unit, missing)
                return Shortfall(unit, limit, spent, held, wanted, wait)
        return None

    def _reached(self) -> Shortfall | None:
        reached = [
            Shortfall(unit, limit, spent, held, 0)
            for unit, limit, spent, held in self._states()
            if spent >= limit
        ]
        return next((each for each in reached if each.passed), reached[0] if reached else None)
