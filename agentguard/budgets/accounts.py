"""The ledgers of one budget: one, or one for each user, session, agent and so on."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Final, get_args

from agentguard.budgets.estimate import Habit
from agentguard.budgets.spend import Amount, Unit

if TYPE_CHECKING:
    from agentguard.budgets.ledger import Ledger

__all__ = ["Account", "Accounts"]

_MOST: Final = 4096
_MOST_HABITS: Final = 256

log = logging.getLogger("agentguard")


class Account:
    """A ledger, with the reservations that nobody will settle any more."""

    __slots__ = (
        "_warned",
        "by_call",
        "in_dollars",
        "in_tokens",
        "ledger",
        "lock",
        "lost",
        "name",
        "was_used",
    )

    def __init__(self, ledger: Ledger, name: str | None = None) -> None:
        self.ledger = ledger
        self.name = name
        """The user, session and so on that it is for."""
        limits = ledger.limits
        self.in_tokens = limits.tokens is not None
        self.in_dollars = limits.pico_usd is not None
        self.by_call = not (self.in_tokens or self.in_dollars)
        """Whether calls are limited and nothing else."""
        self.lock = threading.Lock()
        """Held where a reservation grows or ends, and before the ledger's own lock."""
        self.lost: deque[Amount] = deque()
        self._warned = False
        self.was_used = True
        """Since somebody last looked for accounts to forget."""

    def reap(self) -> None:
        """End the reservations of calls that are gone without having been settled.

        They count as spent, all of them: the requests may have gone out, and nothing is free.
        """
        while self.lost:
            try:
                amount = self.lost.popleft()
            except IndexError:  # Another thread was quicker.
                return
            self.ledger.settle(amount, amount)

    def newly_reached(self, fraction: float) -> tuple[Unit, int, int] | None:
        """A limit of which that fraction is spent: its unit, what is spent, and itself.

        None where there is none, and where that was told before and has been so ever since.
        """
        with self.lock:
            columns = zip(get_args(Unit), self.ledger.spent, self.ledger.limits, strict=True)
            reached = [
                (unit, spent, limit)
                for unit, spent, limit in columns
                if limit is not None and spent >= fraction * limit
            ]
            is_news = bool(reached) and not self._warned
            self._warned = bool(reached)
        return reached[0] if is_news else None


class _ByName(dict[str | None, Account]):
    """Accounts by their names, opened when first asked for."""

    __slots__ = ("_open",)

    def __init__(self, open: Callable[[str | None], Account]) -> None:  # noqa: A002 - what it does
        self._open = open

    def __missing__(self, name: str | None) -> Account:
        return self._open(name)


class Accounts:
    """Finds a call's account, and makes it where there is none.

    At most 4,096 are kept. Beyond, one that was not used for long is forgotten, and with it what it
    spent, unless calls that it has reserved for are in flight.
    """

    __slots__ = ("_has_forgotten", "_lock", "_make", "by_name", "habits", "latest", "one")

    def __init__(self, make: Callable[[str | None], Ledger]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self.by_name = _ByName(self._open)
        """Those in use, and any other that is asked for; who asks says that it `was_used`."""
        self._has_forgotten = False
        self.latest: Habit | None = None
        """The one asked for last: an agent mostly keeps to one model."""
        self.habits: dict[tuple[str | None, str | None], Habit] = {}
        """What calls used so far, by provider and model."""
        self.one: Account | None = None
        """The account, where there is but one and it is in use."""

    def only(self) -> Account:
        """The account for all calls."""
        with self._lock:
            if self.one is None:
                self.one = self.by_name[None] = Account(self._make(None))
            return self.one

    def of(self, name: str | None) -> Account:
        """The account for calls of this user, session and so on; those of nobody share one."""
        account = self.by_name[name]
        account.was_used = True
        return account

    def all(self) -> list[Account]:
        """Every account, with lost reservations ended."""
        with self._lock:
            found = list(self.by_name.values())
        for account in found:
            account.reap()
        return found

    def habit(self, provider: str | None, model: str | None) -> Habit:
        """What calls of the model used so far."""
        habit = self.habits.get((provider, model))
        if habit is None:
            if len(self.habits) >= _MOST_HABITS:
                self.habits = {}
            habit = self.habits.setdefault((provider, model), Habit(provider, model))
        self.latest = habit
        return habit

    def _open(self, name: str | None) -> Account:
        with self._lock:
            account = self.by_name.get(name)
            if account is None:
                if len(self.by_name) >= _MOST:
                    self._forget_one()
                account = self.by_name[name] = Account(self._make(name), name)
            return account

    def _forget_one(self) -> None:
        for name, account in self._candidates():
            if not account.ledger.held.calls:
                del self.by_name[name]
                if account.ledger.spent.calls and not self._has_forgotten:
                    self._has_forgotten = True
                    log.warning(
                        "a budget guard keeps %d budgets: from now on what one of them has spent "
                        "that was not used for long is forgotten when another is needed",
                        _MOST,
                    )
                return

    def _candidates(self) -> Iterator[tuple[str | None, Account]]:
        """Those not used since they were last passed by here, and then all, the oldest first."""
        everyone = list(self.by_name.items())
        for name, account in everyone:
            if account.was_used:
                account.was_used = False
            else:
                yield name, account
        yield from everyone
