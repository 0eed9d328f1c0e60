"""The slice of a shared budget that one process has leased: its figures, and who may take of them.

Nothing here asks the collector. A call that fits is answered from memory, under one lock that is
held for microseconds; what the collector answers is taken over under the same lock.
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Final, get_args

from agentguard.budgets.ledger import Shortfall
from agentguard.budgets.spend import Amount, Limits, Spend, Unit

__all__ = ["NOTHING", "Slice", "as_json", "positive"]

NOTHING: Final = Spend()
_UNLIMITED: Final = 1 << 100
_SLICES: Final = 8
"""A slice is this part of what is left: of the last few calls, one at a time."""
_MARGIN: Final = 0.5
"""Seconds before the server's expiry at which a slice is no longer spent from."""


class Slice(ABC):
    """What is leased, used and held, in calls, tokens and pico-dollars.

    A subclass asks the collector: `_ask_for_more` where a call does not fit, `_runs_low` once most
    of the slice is gone. It is a base class, not a part, for a call through one costs time in
    `reserve` and `settle`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._limits = Limits()
        self._fresh_state()

    @abstractmethod
    def _ask_for_more(self, amount: Spend) -> Shortfall | None:
        """Reserve what the slice has no room for, or say what is in the way."""

    @abstractmethod
    def _runs_low(self) -> None:
        """Have a larger slice fetched in the background."""

    def _fresh_state(self) -> None:
        """Nothing leased, nothing spent: so it begins, and again in the child of a fork."""
        self._lock = threading.Lock()
        self._id: str | None = None
        self._leased = NOTHING
        self._used = NOTHING
        """Spent under the present lease, and what of that the collector knows."""
        self._told = NOTHING
        self._held = [0, 0, 0]
        self._left = [0, 0, 0]
        self._room = [0, 0, 0]
        """What may be used under this lease before a limit is reached by spending."""
        self._low = [-1, -1, -1]
        self._expires = 0.0
        self._touched = 0.0
        self._extended = 0.0
        self._others = NOTHING
        """Spent in the pot, beside this process's unreported; and what of it is held."""
        self._others_held = NOTHING
        self._refused: tuple[float, Spend, Shortfall] | None = None

    def reserve(self, amount: Amount) -> Shortfall | None:
        """Hold the amount in this process's slice; ask for more where it does not fit."""
        calls, tokens, pico = amount
        with self._lock:
            now = self._touched = self._clock()
            left = self._left
            if now < self._expires and left[0] >= calls and left[1] >= tokens and left[2] >= pico:
                left[0] -= calls
                left[1] -= tokens
                left[2] -= pico
                held = self._held
                held[0] += calls
                held[1] += tokens
                held[2] += pico
                low = self._low
                if left[0] > low[0] and left[1] > low[1] and left[2] > low[2]:
                    return None
                self._low = [-1, -1, -1]
                is_low = True
            else:
                is_low = False
        if is_low:
            self._runs_low()
            return None
        return self._ask_for_more(Spend(*amount))

    def settle(self, held: Amount, spent: Amount) -> Shortfall | None:
        """End a reservation; what was spent is reported within a second."""
        held_calls, held_tokens, held_pico = held
        calls, tokens, pico = spent
        with self._lock:
            in_flight, left, room = self._held, self._left, self._room
            in_flight[0] -= held_calls
            in_flight[1] -= held_tokens
            in_flight[2] -= held_pico
            left[0] += held_calls - calls
            left[1] += held_tokens - tokens
            left[2] += held_pico - pico
            used = self._used
            calls, tokens, pico = calls + used[0], tokens + used[1], pico + used[2]
            # The constructor of a named tuple takes three times as long.
            now_used: Spend = tuple.__new__(Spend, (calls, tokens, pico))
            self._used = now_used
            self._refused = None
            if calls < room[0] and tokens < room[1] and pico < room[2]:
                return None
            return self._reached()

    def release(self, held: Amount) -> None:
        """End a reservation, or a part of it: nothing was spent."""
        with self._lock:
            for at in range(3):
                self._held[at] -= held[at]
                self._left[at] += held[at]
            self._refused = None

    @property
    def limits(self) -> Limits:
        """The most that may be spent, as the server said last."""
        return self._limits

    @property
    def left(self) -> Limits:
        """What is left of the budget, as far as this process knows: less what others hold."""
        with self._lock:
            taken = self._spent_now() + self._others_held + Spend(*self._held)
            return Limits(
                *(
                    None if limit is None else max(0, limit - gone)
                    for limit, gone in zip(self._limits, taken, strict=True)
                )
            )

    @property
    def spent(self) -> Spend:
        """What was spent by everybody, as of the last answer, and since then by this process."""
        with self._lock:
            return self._spent_now()

    @property
    def held(self) -> Spend:
        """What is reserved for this process's calls in flight."""
        with self._lock:
            return Spend(*self._held)

    def _take(self, amount: Spend) -> bool:
        with self._lock:
            fits = all(left >= want for left, want in zip(self._left, amount, strict=True))
            if not fits or self._clock() >= self._expires:
                return False
            for at in range(3):
                self._left[at] -= amount[at]
                self._held[at] += amount[at]
            return True

    def _take_unleased(self, amount: Spend) -> None:
        """Hold the amount although nothing is leased for it: it is reported all the same."""
        with self._lock:
            for at in range(3):
                self._left[at] -= amount[at]
                self._held[at] += amount[at]

    def _fits(self, amount: Spend) -> bool:
        with self._lock:
            return all(left >= want for left, want in zip(self._left, amount, strict=True))

    def _needed(self, amount: Spend) -> Spend:
        """The least that a slice must be: what is in flight, and the call or what is here now.

        Other threads take from the present slice while the collector is asked: it never shrinks.
        """
        lasts = self._clock() < self._expires
        return Spend(
            *(
                self._limited(at, held + (max(left, want) if lasts else want))
                for at, (held, left, want) in enumerate(
                    zip(self._held, self._left, amount, strict=True)
                )
            )
        )

    def _wanted(self, needed: Spend) -> Spend:
        """A fraction of what is left, for some processes to share; near the end, what is needed."""
        taken = self._spent_now() + self._others_held
        return Spend(
            *(
                0 if limit is None else max(need, min((limit - gone) // _SLICES, limit))
                for limit, gone, need in zip(self._limits, taken, needed, strict=True)
            )
        )

    def _limited(self, at: int, value: int) -> int:
        return 0 if self._limits[at] is None else value

    def _put_in_place(self, request: dict[str, Any], answer: dict[str, Any], began: float) -> bool:
        """Take over the answer to a request for a slice; whether its lease is of use here."""
        with self._lock:
            reported = _spend(request["replaced_spent"])
            same = request["replaces"] == self._id
            granted = answer["state"] != "refused"
            is_late = granted and (not same or answer["expires_in"] <= 0)
            if not granted:
                if same:
                    self._told = reported
            elif not is_late:
                self._used -= reported
                self._told = NOTHING
                self._id = request["id"]
                self._leased = _spend(answer["amount"])
                self._last(answer, began)
            self._learn(answer)
        return not is_late

    def _last(self, answer: dict[str, Any], began: float) -> None:
        """The lease lasts from when it was asked for, lest it end later here than there."""
        self._extended = began
        self._expires = began + answer["expires_in"] - _MARGIN

    def _learn(self, answer: dict[str, Any]) -> None:
        """Take over what the server says of the budget; with the lock held."""
        limits = answer["limits"]
        self._limits = Limits(limits["calls"], limits["tokens"], limits["pico_usd"])
        if "spent" in answer:
            self._others = _spend(answer["spent"])
            mine = positive(self._leased - self._told)
            self._others_held = positive(_spend(answer["held"]) - mine)
        self._reckon()
        # A slice that is mostly gone is exchanged before a call has to wait for it.
        self._low = [
            -1 if limit is None else leased // 4 if leased > _SLICES else -1
            for limit, leased in zip(self._limits, self._leased, strict=True)
        ]

    def _reckon(self) -> None:
        """What is left of the slice, and until a limit is reached; with the lock held."""
        self._left = [
            _UNLIMITED if limit is None else leased - used - held
            for limit, leased, used, held in zip(
                self._limits, self._leased, self._used, self._held, strict=True
            )
        ]
        self._room = [
            _UNLIMITED if limit is None else limit - others + told
            for limit, others, told in zip(self._limits, self._others, self._told, strict=True)
        ]

    def _shortfall(self, amount: Spend) -> Shortfall:
        """The limit that is in the way, by what the server said last."""
        with self._lock:
            spent = self._spent_now()
            held = self._others_held + Spend(*self._held)
            units: tuple[Unit, ...] = get_args(Unit)
            rows = list(zip(units, self._limits, spent, held, amount, strict=True))
            # One at a time: the first that does not fit, else the first that is limited at all.
            best: Shortfall | None = None
            for unit, limit, gone, kept, want in rows:
                if limit is None:
                    continue
                found = Shortfall(unit, limit, gone, kept, want)
                if gone + kept + want > limit:
                    return found
                best = best or found
            return best or Shortfall("calls", 0, spent.calls, held.calls, amount.calls)

    def _spent_now(self) -> Spend:
        return self._others + positive(self._used - self._told)

    def _reached(self) -> Shortfall | None:
        for unit, limit, spent in zip(get_args(Unit), self._limits, self._spent_now(), strict=True):
            if limit is not None and spent >= limit:
                return Shortfall(unit, limit, spent, 0, 0)
        return None

    def _spare(self) -> bool:
        with self._lock:
            return any(
                limit is not None and left > 0
                for limit, left in zip(self._limits, self._left, strict=True)
            )

    def _end_lease(self) -> None:
        self._others += positive(self._used - self._told)
        self._id, self._expires = None, 0.0
        self._leased = self._used = self._told = NOTHING
        self._reckon()


def positive(amount: Spend) -> Spend:
    """The amount, with nothing below zero."""
    return Spend(*(max(0, count) for count in amount))


def as_json(amount: Spend) -> dict[str, int]:
    """The amount as the collector's API writes it."""
    return amount._asdict()


def _spend(answer: dict[str, int]) -> Spend:
    return Spend(answer["calls"], answer["tokens"], answer["pico_usd"])
