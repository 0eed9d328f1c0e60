"""A shared budget as one process spends it: by slices, leased from the collector.

A call is checked against the slice, in memory. Before the slice runs low it is exchanged for a
larger one in the background; what was spent is reported every second; what is not used goes back
when the process is idle, forks or ends, and, when it dies, with the slice's expiry.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Final, Literal, get_args
from uuid import uuid4

from agentguard.budgets import leasing
from agentguard.budgets.client import ControlClient, budget_path, settings
from agentguard.budgets.ledger import Shortfall
from agentguard.budgets.shared_errors import BudgetRefused, BudgetUnreachable
from agentguard.budgets.spend import Limits, Spend, Unit
from agentguard.errors import ConfigurationError

__all__ = ["LeasedLedger", "Unreachable"]

Unreachable = Literal["closed", "open"]

_NOTHING: Final = Spend()
_UNLIMITED: Final = 1 << 100
_SLICES: Final = 8
"""A slice is this part of what is left: of the last few calls, one at a time."""
_ASK_AGAIN_AFTER: Final = 0.05
_REFUSED_FOR: Final = 0.25
_DOWN_FOR: Final = 1.0
_IDLE_AFTER: Final = 2.0
_MARGIN: Final = 0.5
"""Seconds before the server's expiry at which a slice is no longer spent from."""


class LeasedLedger:
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
        self._clock = clock
        self._client = client or ControlClient.from_settings()
        self._fresh_state()
        self._limits = Limits()
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
        """Nothing leased, nothing spent: so it begins, and again in the child of a fork."""
        self._lock = threading.Lock()
        """Guards the figures; held for microseconds."""
        self._asking = threading.Lock()
        """Held while the collector is asked."""
        self._id: str | None = None
        self._pending: dict[str, Any] | None = None
        """A request for a slice whose answer never came."""
        self._leased = _NOTHING
        self._used = _NOTHING
        """Spent under the present lease, and what of that the collector knows."""
        self._told = _NOTHING
        self._held = [0, 0, 0]
        self._left = [0, 0, 0]
        self._room = [0, 0, 0]
        """What may be used under this lease before a limit is reached by spending."""
        self._low = [-1, -1, -1]
        self._expires = 0.0
        self._touched = 0.0
        self._extended = 0.0
        self._ended: list[tuple[str, Spend]] = []
        """Leases that ended here, and what was spent under them: not reported yet."""
        self._others = _NOTHING
        """Spent in the pot, beside this process's unreported; and what of it is held."""
        self._others_held = _NOTHING
        self._refused: tuple[float, Spend, Shortfall] | None = None
        self._down_until = 0.0
        self._down_because = ""

    # What a `Ledger` does.

    def reserve(self, amount: Spend) -> Shortfall | None:
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
            leasing.wake(self)
            return None
        return self._reserve_slowly(amount)

    def settle(self, held: Spend, spent: Spend) -> Shortfall | None:
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

    def release(self, held: Spend) -> None:
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

    # Asking the collector.

    def _reserve_slowly(self, amount: Spend) -> Shortfall | None:
        known = self._refused
        if known is not None and self._clock() < known[0] and _covers(amount, known[1]):
            return known[2]
        with self._asking:
            short: Shortfall | None = None
            for attempt in range(2):
                if self._take(amount):
                    return None
                try:
                    answer = self._lease(amount)
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

    def _take(self, amount: Spend) -> bool:
        with self._lock:
            fits = all(left >= want for left, want in zip(self._left, amount, strict=True))
            if not fits or self._clock() >= self._expires:
                return False
            for at in range(3):
                self._left[at] -= amount[at]
                self._held[at] += amount[at]
            return True

    def _lease(self, amount: Spend) -> dict[str, Any] | None:
        """Exchange the slice for one that the amount fits into, if there is one.

        With `_asking` held. A request whose answer never came is asked again first.
        """
        if self._clock() < self._down_until:
            raise BudgetUnreachable(self._down_because)
        if self._pending is not None:
            self._exchange(self._pending)
            if self._fits(amount):
                return None
        with self._lock:
            needed = self._needed(amount)
            wanted = self._wanted(needed)
            self._pending = {
                "id": uuid4().hex,
                "amount": _json(wanted),
                "minimum": _json(needed),
                "scope_value": self._scope_value,
                "ttl_s": self._ttl,
                "replaces": self._id,
                "replaced_spent": _json(self._used),
            }
        return self._exchange(self._pending)

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

    def _exchange(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request for a slice. On an answer it is the lease, or nothing has changed."""
        leasing.tend_often(self)
        began = self._clock()
        try:
            answer = self._ask("POST", "reserve", request)
        except BudgetUnreachable as problem:
            self._down_until = self._clock() + _DOWN_FOR
            self._down_because = str(problem)
            raise
        except BudgetRefused:
            self._pending = None
            raise
        with self._lock:
            self._pending = None
            reported = _spend(request["replaced_spent"])
            same = request["replaces"] == self._id
            if answer["state"] == "refused":
                if same:
                    self._told = reported
            elif not same or answer["expires_in"] <= 0:
                # It came too late: the lease is another one by now, or over.
                self._ended.append((request["id"], _NOTHING))
            else:
                self._used -= reported
                self._told = _NOTHING
                self._id = request["id"]
                self._leased = _spend(answer["amount"])
                self._extended = began
                self._expires = began + answer["expires_in"] - _MARGIN
            self._learn(answer)
        return answer

    def _learn(self, answer: dict[str, Any]) -> None:
        """Take over what the server says of the budget; with the lock held."""
        limits = answer["limits"]
        self._limits = Limits(limits["calls"], limits["tokens"], limits["pico_usd"])
        if "spent" in answer:
            self._others = _spend(answer["spent"])
            mine = _positive(self._leased - self._told)
            self._others_held = _positive(_spend(answer["held"]) - mine)
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

    def _without_answer(self, amount: Spend, problem: BudgetUnreachable) -> Shortfall | None:
        if self._open:
            leasing.warn_open(self.name, str(problem))
            with self._lock:
                for at in range(3):
                    self._left[at] -= amount[at]
                    self._held[at] += amount[at]
            return None
        return self._objection(
            amount,
            f"{problem}; nothing is leased of the shared budget {self.name!r} any more. Check the "
            'collector, or allow calls without it with unreachable="open"',
        )

    def _objection(self, amount: Spend, because: str) -> Shortfall:
        short = self._shortfall(amount)
        return short._replace(because=because)

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
        return self._others + _positive(self._used - self._told)

    def _reached(self) -> Shortfall | None:
        for unit, limit, spent in zip(get_args(Unit), self._limits, self._spent_now(), strict=True):
            if limit is not None and spent >= limit:
                return Shortfall(unit, limit, spent, 0, 0)
        return None

    # In the background, by `leasing`.

    def tend(self, low: bool = False) -> bool:
        """Report what was spent, renew, give back: whatever is due. Raises nothing.

        Returns whether there is anything that will be due.
        """
        try:
            with self._asking:
                self._tend(low)
        except BudgetUnreachable as problem:
            self._down_until = self._clock() + _DOWN_FOR
            self._down_because = str(problem)
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
            self._lease(_NOTHING)
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

    def _spare(self) -> bool:
        with self._lock:
            return any(
                limit is not None and left > 0
                for limit, left in zip(self._limits, self._left, strict=True)
            )

    def _report(self, give_back: bool) -> None:
        began = self._clock()
        with self._lock:
            lease, used = self._id, self._used
            if give_back:
                self._leased = used + Spend(*self._held)
                self._leased = Spend(*(self._limited(at, n) for at, n in enumerate(self._leased)))
                self._left = [_UNLIMITED if limit is None else 0 for limit in self._limits]
            keep = _positive(self._leased - used)
        request = {
            "id": lease,
            "spent": _json(used),
            "final": False,
            "ttl_s": self._ttl,
            **({"keep": _json(keep)} if give_back else {}),
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
                self._extended = began
                self._expires = began + answer["expires_in"] - _MARGIN
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

    def _end_lease(self) -> None:
        self._others += _positive(self._used - self._told)
        self._id, self._expires = None, 0.0
        self._leased = self._used = self._told = _NOTHING
        self._reckon()

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
                    "POST", "settle", {"id": lease, "spent": _json(used), "final": True}
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

    def _ask(self, method: str, operation: str, body: object = None) -> dict[str, Any]:
        return self._client.ask(method, budget_path(self.name, operation), body)


def _covers(amount: Spend, refused: Spend) -> bool:
    """Whether the amount needs at least what was refused."""
    return all(want >= no for want, no in zip(amount, refused, strict=True))


def _positive(amount: Spend) -> Spend:
    return Spend(*(max(0, count) for count in amount))


def _json(amount: Spend) -> dict[str, int]:
    return amount._asdict()


def _spend(answer: dict[str, int]) -> Spend:
    return Spend(answer["calls"], answer["tokens"], answer["pico_usd"])
