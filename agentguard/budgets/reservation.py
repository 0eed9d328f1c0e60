"""What one call holds of a budget, from before it goes out until it has ended."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Final

from agentguard.budgets.estimate import size
from agentguard.budgets.spend import Amount, Spend

if TYPE_CHECKING:
    from agentguard.budgets.accounts import Account
    from agentguard.budgets.estimate import Habit
    from agentguard.guards.call import Call
    from agentguard.prices.meter import TokenPrice

__all__ = ["ANY_LENGTH", "Estimate", "Reservation"]

ANY_LENGTH: Final = sys.maxsize
"""`Estimate.covers`, where no answer is too long."""

_LONGEST_TOKEN: Final = 16
"""Characters: no tokenizer's are so long in the mean of a text."""

_NOTHING: Final = Spend()


class Reservation:
    """What is held for one call; `open` from when the ledger has reserved it until it ends.

    One that is garbage while it is open belonged to a call that nobody settled: a task or thread
    that died. The account ends it at its next call. Garbage is collected at any time and in any
    thread, inside of a ledger's lock too, so nothing but an append happens here.

    Made empty, and then told what it holds: to pass that to a class takes as long again.
    """

    __slots__ = ("account", "amount", "lost", "open")

    account: Account
    amount: Amount
    open: bool
    lost: bool
    """Whether its account counts it as spent: then nothing else may."""

    def hold(self, account: Account, amount: Amount) -> None:
        """What it is to hold, of what."""
        self.open = self.lost = False
        self.account = account
        self.amount = amount

    def close(self) -> Amount:
        """Give up what is held, to be settled or released by the caller."""
        held = self.amount if self.open else _NOTHING
        self.open = False
        return held

    def __del__(self) -> None:
        if self.open:
            # Its call may be garbage of the same collection, and settle only after this.
            self.open, self.lost = False, True
            self.account.lost.append(self.amount)


class Estimate(Reservation):
    """What is held for a model call: what it will probably use, and what that was made of.

    A request's own `max_tokens` is taken at its word, until more letters arrive than so many tokens
    can be: there are servers that do not keep to it.
    """

    __slots__ = ("covers", "habit", "price", "sent", "size")

    habit: Habit
    price: TokenPrice | None
    """None where dollars are not limited, or nobody knows it."""
    size: int | None
    """Bytes of the content; None where that is not known."""
    sent: int
    """Tokens."""
    covers: int
    """Characters of a streamed answer that it is known to be enough for."""

    def hold_for(
        self, call: Call, account: Account, habit: Habit, price: TokenPrice | None
    ) -> None:
        """As much as the call will probably use, by what its model used before."""
        # Before all else, for `__del__` is also called where the content cannot be read.
        self.open = self.lost = False
        length = call.size
        if length is None:
            length = call.measure(size)
        before, sent = habit.known
        if length is not None and before is not None and length >= before:
            # What `input_for` says where a conversation grows: asked before every call.
            sent += (length - before) * 2 // 5
        else:
            sent = habit.input_for(length)
        answered, covers = call.max_tokens, ANY_LENGTH
        if answered is not None:
            covers = answered * _LONGEST_TOKEN
        elif call.kind == "llm":
            answered, covers = habit.output, -1
        else:
            answered = 0
        if price is None:
            pico = 0
        elif price.plain is None:
            pico = price.estimate(sent, answered)
        else:
            per_sent, per_answered, per_request = price.plain
            pico = sent * per_sent + answered * per_answered + per_request
        self.account = account
        self.amount = (1, sent + answered, pico)
        self.habit = habit
        self.price = price
        self.size = length
        self.sent = sent
        self.covers = covers

    def close(self) -> Amount:
        """Give up what is held, once no other thread makes it grow."""
        if self.covers == ANY_LENGTH:
            return super().close()
        with self.account.lock:
            return super().close()
