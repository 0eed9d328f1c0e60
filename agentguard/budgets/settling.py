"""What a call that has ended counts as."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agentguard.budgets.estimate import size
from agentguard.budgets.reservation import Estimate, Reservation
from agentguard.budgets.spend import ONE_CALL, Spend, pico_dollars

if TYPE_CHECKING:
    from agentguard.budgets.pricing import Pricing
    from agentguard.guards.call import Call
    from agentguard.prices.meter import TokenPrice

__all__ = ["used"]


def used(call: Call, held: Reservation, pricing: Pricing) -> tuple[Spend, bool]:
    """What the call used, and whether the price of that is known where it has to be."""
    if not isinstance(held, Estimate):
        return _as_it_says(call), True
    price, is_priced = _price(call, held, pricing)
    spent = _uncounted(call, held, price) if call.usage is None else _counted(call, held, price)
    if call.cost is not None:
        spent = Spend(1, spent.tokens, pico_dollars(call.cost))
    return spent, is_priced


def _as_it_says(call: Call) -> Spend:
    """What a call used where only calls are limited, as far as it says so."""
    usage, cost = call.usage, call.cost
    if usage is None and cost is None:
        return ONE_CALL
    return Spend(1, sum(usage or ()), 0 if cost is None else pico_dollars(cost))


def _price(call: Call, held: Estimate, pricing: Pricing) -> tuple[TokenPrice | None, bool]:
    """The price to count with, and whether it is the call's and not one that was assumed."""
    habit, model = held.habit, call.model
    if not held.account.in_dollars or call.cost is not None:
        return held.price, True
    if model == habit.model and call.provider == habit.provider and model is not None:
        return held.price, held.price is not None
    # What answered is named otherwise than what was asked for, or is named only now. A name that
    # nobody knows, such as that of a deployment, costs what the model asked for does.
    found = pricing.of(call.provider, model, held.account.in_tokens)
    is_assumed = habit.model is None or held.price is None
    return found or held.price, found is not None or not is_assumed or call.outcome != "ok"


def _counted(call: Call, held: Estimate, price: TokenPrice | None) -> Spend:
    """What a call used by the count of its provider."""
    assert call.usage is not None  # noqa: S101 - the caller's condition
    sent, read, written, answered, thought = usage = call.usage
    total_input = sent + read + written
    if call.outcome == "ok":
        held.habit.learn(held.size, total_input, answered + thought)
        if call.streamed_chars:
            held.habit.learn_text(call.streamed_chars, answered)
    elif call.streamed_chars:
        # Where a stream broke off, the count may be the one that it began with.
        answered = max(answered, held.habit.streamed(call.streamed_chars) - thought)
        usage = usage._replace(output=answered)
    pico = 0 if price is None else price.cost(usage)
    # The constructor of a named tuple takes three times as long.
    spent: Spend = tuple.__new__(Spend, (1, total_input + answered + thought, pico))
    return spent


def _uncounted(call: Call, held: Estimate, price: TokenPrice | None) -> Spend:
    """What a call used of which nobody has counted the tokens."""
    if call.streamed_chars:
        answered = held.habit.streamed(call.streamed_chars)
    elif call.outcome == "error":
        # It went out and came back with nothing: a call, and no tokens.
        return ONE_CALL
    elif call.outcome in ("cancelled", "abandoned"):
        answered = 0
    elif call.kind == "llm" and (said := size(call.output)):
        answered = held.habit.streamed(said)
    else:
        return Spend(*held.amount)
    pico = 0 if price is None else price.estimate(held.sent, answered)
    return Spend(1, held.sent + answered, pico)
