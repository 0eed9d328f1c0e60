"""The shapes of a price: usage in, a price per token, and the cost of the one at the other."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Final, NamedTuple

MTOK: Final = Decimal("1e-6")
"""Prices are quoted per million tokens; this turns price times count into USD."""

PRICE_SCALE: Final = Decimal("1e-6")
"""Prices keep six decimals, so that one token always costs a whole number of pico-dollars."""

BUNDLED: Final = "genai-prices"
"""The source of the prices that come with the package."""

Tiers = tuple[Decimal, ...]
"""USD per million tokens: the base price, then one price for each of the model's `tier_starts`."""


class Usage(NamedTuple):
    """Five *disjoint* token counts of one call.

    OTel and OpenAI report input including cached and output including reasoning tokens: subtract
    them before building this.
    """

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    output: int = 0
    reasoning: int = 0

    @property
    def total_input(self) -> int:
        """All tokens sent, cached or not: the count that picks the price tier."""
        return self.input + self.cache_read + self.cache_write


@dataclass(frozen=True, slots=True)
class ModelPrice:
    """What one model costs during one validity period.

    The first five prices always have `1 + len(tier_starts)` entries: a cache price that the model
    does not have is its input price, a missing reasoning price its output price, and anything
    else it does not charge for is 0. The three others are empty where not charged apart; no count
    in `Usage` selects them.
    """

    provider: str
    model: str
    tier_starts: tuple[int, ...]
    input: Tiers
    cache_read: Tiers
    cache_write: Tiers
    output: Tiers
    reasoning: Tiers
    cache_write_1h: Tiers = ()
    input_audio: Tiers = ()
    output_audio: Tiers = ()
    per_request: Decimal = Decimal(0)
    priced: bool = True
    """False where the model is billed only in units no span carries (audio hours, pages)."""
    source: str = BUNDLED
    """`genai-prices`, `override` (of the file) or `project`."""


def cost(usage: Usage, price: ModelPrice) -> Decimal:
    """Return what the call cost, in USD, exactly.

    A tier is a cliff: once `usage.total_input` is *above* a start, all tokens, output included,
    pay that tier's price (`genai_prices.types.TieredPrices`).
    """
    tier = 0
    for start in price.tier_starts:
        if usage.total_input <= start:
            break
        tier += 1
    per_mtok = (
        usage.input * price.input[tier]
        + usage.cache_read * price.cache_read[tier]
        + usage.cache_write * price.cache_write[tier]
        + usage.output * price.output[tier]
        + usage.reasoning * price.reasoning[tier]
    )
    return per_mtok * MTOK + price.per_request
