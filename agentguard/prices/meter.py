"""Costs in whole pico-dollars, fast enough to be asked before every call."""

from __future__ import annotations

import time
from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal
from typing import Final

from agentguard.prices.model import ModelPrice, Usage
from agentguard.prices.rule import DAY_SECONDS, PriceRule
from agentguard.prices.table import PriceTable

__all__ = ["Meter", "TokenPrice"]

_REMEMBERED: Final = 4096
_MICRO: Final = 6

_Rates = tuple[int, int, int, int, int]
"""Prices of what `Usage` counts, in its order."""


class TokenPrice:
    """A `ModelPrice` in whole pico-dollars (10**-12 USD) per token."""

    __slots__ = ("_base", "_rates", "_starts", "per_request", "plain")

    def __init__(
        self,
        rates: tuple[_Rates, ...],
        starts: tuple[int, ...] = (),
        per_request: int = 0,
    ) -> None:
        self._rates = rates  # one for each tier
        self._base = rates[0]
        self._starts = starts
        self.per_request = per_request
        self.plain = None if starts else (rates[0][0], rates[0][3], per_request)
        """The price of a token sent, of one answered and of the request, whatever its length."""

    @classmethod
    def of(cls, price: ModelPrice) -> TokenPrice:
        """The same price."""
        columns = (price.input, price.cache_read, price.cache_write, price.output, price.reasoning)
        rates = tuple(
            (_pico(a), _pico(b), _pico(c), _pico(d), _pico(e))
            for a, b, c, d, e in zip(*columns, strict=True)
        )
        per_request = price.per_request.scaleb(12).to_integral_value(ROUND_CEILING)
        return cls(rates, price.tier_starts, int(per_request))

    @classmethod
    def flat(cls, input_mtok: Decimal, output_mtok: Decimal) -> TokenPrice:
        """A price of so many US dollars per million tokens sent and answered."""
        sent, answered = _pico(input_mtok), _pico(output_mtok)
        return cls(((sent, sent, sent, answered, answered),))

    def become(self, other: TokenPrice) -> None:
        """Be the same price as the other, for all who hold this one."""
        for name in self.__slots__:
            setattr(self, name, getattr(other, name))

    def cost(self, usage: Usage) -> int:
        """What the call cost: `agentguard.prices.cost`, in pico-dollars."""
        sent, read, written, answered, thought = usage
        a, b, c, d, e = self._tier(sent + read + written) if self._starts else self._base
        return sent * a + read * b + written * c + answered * d + thought * e + self.per_request

    def estimate(self, sent: int, answered: int) -> int:
        """What a call of so many tokens costs that neither reads nor writes a cache."""
        rates = self._tier(sent) if self._starts else self._base
        return sent * rates[0] + answered * rates[3] + self.per_request

    def affordable(self, sent: int, amount: int) -> int | None:
        """Tokens that can be answered for the amount, beside those sent; None for any number."""
        rates = self._tier(sent)
        left = amount - sent * rates[0] - self.per_request
        return max(0, left) // rates[3] if rates[3] else None

    def _tier(self, total_input: int) -> _Rates:
        return self._rates[sum(total_input > start for start in self._starts)]


def _pico(per_mtok: Decimal) -> int:
    return int(per_mtok.scaleb(_MICRO).to_integral_value(ROUND_CEILING))


class _Changing:
    """The price of a model that depends on the date or the time of day, for one second."""

    __slots__ = ("_clock", "_periods", "_price", "_second")

    def __init__(self, periods: tuple[PriceRule, ...], clock: Callable[[], float]) -> None:
        self._clock = clock
        self._periods = tuple((rule, _token_price(rule)) for rule in periods)
        self._second = -1
        self._price: TokenPrice | None = None

    def now(self) -> TokenPrice | None:
        second = int(self._clock())
        if second == self._second:
            return self._price
        day, of_day = divmod(second, DAY_SECONDS)
        price = next((price for rule, price in self._periods if rule.active(day, of_day)), None)
        # In this order: a thread that reads in between looks again.
        self._second = -1
        self._price = price
        self._second = second
        return price


class Meter:
    """Finds prices in a table; what it found once takes a fraction of a microsecond.

    `clock` gives Unix seconds.
    """

    def __init__(self, table: PriceTable, clock: Callable[[], float] = time.time) -> None:
        self.table = table
        self._clock = clock
        self._always: dict[tuple[str | None, str], TokenPrice | None] = {}
        self._changing: dict[tuple[str | None, str], _Changing] = {}

    def price(self, provider: str | None, model: str) -> TokenPrice | None:
        """The price of a call made now; None where `PriceTable.lookup` knows none."""
        key = (provider, model)
        always = self._always
        if key in always:
            return always[key]
        changing = self._changing.get(key)
        return changing.now() if changing is not None else self._find(key)

    def fixed(self, provider: str | None, model: str) -> TokenPrice | None:
        """The price of a call at any time; None where it changes or is not known."""
        self.price(provider, model)
        return self._always.get((provider, model))

    def use(self, table: PriceTable) -> None:
        """Find prices in this table from now on; those that were found become what they are now."""
        # In this order: who finds one in the old table keeps it where nobody looks any more.
        before = self._always
        self.table = table
        self._always, self._changing = {}, {}
        for key, held in before.items():
            price = self.price(*key)
            if held is not None and price is not None:
                held.become(price)
                if key in self._always:
                    self._always[key] = held

    def _find(self, key: tuple[str | None, str]) -> TokenPrice | None:
        if len(self._always) + len(self._changing) >= _REMEMBERED:
            self._always = {}
            self._changing = {}
        always, changing = self._always, self._changing
        periods = self.table.periods(*key)
        if periods and not periods[0].timeless:
            found = changing[key] = _Changing(periods, self._clock)
            return found.now()
        price = always[key] = _token_price(periods[0]) if periods else None
        return price


def _token_price(rule: PriceRule) -> TokenPrice | None:
    return TokenPrice.of(rule.price) if rule.price.priced else None
