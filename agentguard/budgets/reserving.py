"""Reserving less than what was estimated, and more for a streamed answer while it arrives."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from agentguard.budgets.reservation import ANY_LENGTH, Estimate
from agentguard.budgets.spend import Spend

if TYPE_CHECKING:
    from agentguard.budgets.ledger import Ledger, Shortfall
    from agentguard.guards.call import Call

__all__ = ["extend", "reserve_less"]

_STEP: Final = 256
"""Tokens that a reservation grows by, at least, so that few pieces of a stream have to ask."""


def reserve_less(call: Call, wanted: Estimate) -> bool:
    """Hold less than what is wanted, where that did not fit; whether that was possible.

    Of an estimate that is partly a guess, for the call says no `max_tokens` or its content is not
    known, whatever is left will do, provided that nothing else is in flight: otherwise a default
    would make small budgets unusable.
    """
    ledger = wanted.account.ledger
    certain = _certain(call, wanted)
    smaller = None if certain is None else _what_is_left(ledger, wanted, certain)
    if smaller is None or ledger.reserve(smaller) is not None:
        return False
    wanted.amount = smaller
    return True


def extend(call: Call, held: Estimate) -> Shortfall | None:
    """Let the reservation cover what has been streamed; the limit that is in the way, if any."""
    ledger = held.account.ledger
    with held.account.lock:
        if not held.open or call.streamed_chars <= _covered(held):
            return None
        so_far = held.habit.streamed(call.streamed_chars)
        more = _missing(held, so_far + max(_STEP, so_far // 4))
        short = ledger.reserve(more)
        if short is not None:
            more = _missing(held, so_far)
            short = ledger.reserve(more)
        if short is None:
            held.amount = Spend(*held.amount) + more
            _covered(held)
        return short


def _certain(call: Call, wanted: Estimate) -> tuple[int, int] | None:
    """Tokens sent and answered at the very least; None where the estimate is no guess."""
    is_open_ended = call.kind == "llm" and call.max_tokens is None
    if wanted.size is not None and not is_open_ended:
        return None
    sent = 1 if wanted.size is None else wanted.sent
    answered = 1 if is_open_ended else wanted.amount[1] - wanted.sent
    return sent, answered


def _what_is_left(ledger: Ledger, wanted: Estimate, certain: tuple[int, int]) -> Spend | None:
    """As much of what is wanted as there is; None where that is not enough for what is certain."""
    # In this order: a call that reserves in between is seen in flight.
    _, left_tokens, left_pico = ledger.left
    if ledger.held.calls:
        return None
    _, tokens, pico = wanted.amount
    tokens = tokens if left_tokens is None else min(tokens, left_tokens)
    pico = pico if left_pico is None else min(pico, left_pico)
    if tokens < sum(certain):
        return None
    if wanted.price is not None and pico < wanted.price.estimate(*certain):
        return None
    return Spend(1, tokens, pico)


def _covered(held: Estimate) -> int:
    """The characters of an answer that the reservation is enough for, also noted on it."""
    # Where tokens have no limit, what is held of them says nothing.
    answered = held.amount[1] - held.sent if held.account.in_tokens else ANY_LENGTH
    if held.price is not None:
        affordable = held.price.affordable(held.sent, held.amount[2])
        answered = answered if affordable is None else min(answered, affordable)
    held.covers = ANY_LENGTH if answered == ANY_LENGTH else held.habit.chars(max(0, answered))
    return held.covers


def _missing(held: Estimate, answered: int) -> Spend:
    """What the reservation lacks for so many tokens of answer."""
    pico = 0 if held.price is None else held.price.estimate(held.sent, answered)
    tokens = held.sent + answered
    _, held_tokens, held_pico = held.amount
    return Spend(0, max(0, tokens - held_tokens), max(0, pico - held_pico))
