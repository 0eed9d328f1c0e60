"""The price that a budget reserves and settles with, also where nobody knows one."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from agentguard.budgets.arguments import dollars
from agentguard.errors import ConfigurationError
from agentguard.prices.source import load_meter, override_file, preload

if TYPE_CHECKING:
    from agentguard.budgets.estimate import Habit
    from agentguard.prices.meter import Meter, TokenPrice
    from agentguard.prices.table import PriceTable

__all__ = ["Pricing", "UnknownPrice"]

UnknownPrice = Literal["refuse", "tokens"]

ASSUMED_INPUT: Final = Decimal(5)
ASSUMED_OUTPUT: Final = Decimal(25)
"""US dollars per million tokens of a call that does not name its model until it has ended: what a
provider's largest models cost."""


class Pricing:
    """Prices for one guard. `load` first, or let the first call wait for the table.

    Raises `ConfigurationError` for an override file that is wrong: it is read here, while the
    bundled prices are loaded in the background.
    """

    def __init__(
        self,
        unknown: UnknownPrice,
        fallback: object,
        prices: PriceTable | Path | str | None,
    ) -> None:
        if unknown not in ("refuse", "tokens"):
            raise ConfigurationError(f'unknown_price={unknown!r}: it is "refuse" or "tokens".')
        per_mtok = dollars("fallback_usd_per_mtok", fallback)
        if per_mtok is not None and unknown != "tokens":
            raise ConfigurationError(
                'fallback_usd_per_mtok is the price that unknown_price="tokens" counts with: '
                "give both."
            )
        self.unknown = unknown
        self.per_mtok = per_mtok
        self._fallback: TokenPrice | None = None
        self._assumed: TokenPrice | None = None
        self._meter: Meter | None = None
        self._overrides: Path | None = None
        if prices is None or isinstance(prices, str | Path):
            self._overrides = override_file(prices)
            if self._overrides is not None:
                self._meter = load_meter(self._overrides)
        else:
            from agentguard.prices.meter import Meter

            self._meter = Meter(prices)

    def preload(self) -> None:
        """Load in the background what is not loaded yet."""
        if self._meter is None:
            preload()

    def before(self, habit: Habit, in_tokens: bool) -> TokenPrice | None:
        """The price to reserve with; None where the call has to be refused.

        `in_tokens` tells whether tokens are limited too, so that a call without a price counts.
        """
        provider, model = habit.provider, habit.model
        if model is None:
            # Some instrumentors name the model only when the call has ended.
            return self._assume()
        price = self.of(provider, model, in_tokens)
        meter = self._meter or self._load()
        habit.price = meter.fixed(provider, model)
        return price

    def of(self, provider: str | None, model: str | None, in_tokens: bool) -> TokenPrice | None:
        """The price of what a call used; None where there is none to be had."""
        if model is not None:
            price = (self._meter or self._load()).price(provider, model)
            if price is not None:
                return price
        return None if self.unknown == "refuse" else self._without(in_tokens)

    def _load(self) -> Meter:
        self._meter = load_meter(self._overrides)
        return self._meter

    def _without(self, in_tokens: bool) -> TokenPrice | None:
        if self.per_mtok is None and not in_tokens:
            return None
        if self._fallback is None:
            from agentguard.prices.meter import TokenPrice

            per_mtok = self.per_mtok or Decimal(0)
            self._fallback = TokenPrice.flat(per_mtok, per_mtok)
        return self._fallback

    def _assume(self) -> TokenPrice:
        if self._assumed is None:
            from agentguard.prices.meter import TokenPrice

            self._assumed = TokenPrice.flat(ASSUMED_INPUT, ASSUMED_OUTPUT)
        return self._assumed
