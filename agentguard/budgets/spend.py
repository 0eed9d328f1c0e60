"""What calls use up: how many there were, their tokens, and their dollars in whole numbers."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Final, Literal, NamedTuple

__all__ = ["ONE_CALL", "PICO", "Amount", "Limits", "Spend", "Unit", "pico_dollars"]

PICO: Final = 10**12
"""Pico-dollars in a dollar. Prices are kept to six decimals of a dollar per million tokens, so a
token costs a whole number of them: sums stay exact, in integers."""

Unit = Literal["calls", "tokens", "pico_usd"]
"""The names of `Spend`'s three counts."""


class Spend(NamedTuple):
    """An amount: of what is estimated, held or spent. Counts are not negative."""

    calls: int = 0
    tokens: int = 0
    pico_usd: int = 0
    """US dollars times 10**12."""

    def __add__(self, other: object) -> Spend:  # a sum, not the join that tuples have
        if not isinstance(other, Spend):
            return NotImplemented
        return Spend(
            self.calls + other.calls, self.tokens + other.tokens, self.pico_usd + other.pico_usd
        )

    def __sub__(self, other: object) -> Spend:
        if not isinstance(other, Spend):
            return NotImplemented
        return Spend(
            self.calls - other.calls, self.tokens - other.tokens, self.pico_usd - other.pico_usd
        )

    @property
    def cost(self) -> Decimal:
        """US dollars, exactly."""
        return Decimal(self.pico_usd).scaleb(-12)


Amount = tuple[int, int, int]
"""Calls, tokens and pico-dollars: a `Spend`, or what is made in a tenth of the time."""


class Limits(NamedTuple):
    """The most that may be spent, or what is left of it; None where there is no limit."""

    calls: int | None = None
    tokens: int | None = None
    pico_usd: int | None = None


ONE_CALL: Final = Spend(1)


def pico_dollars(amount: Decimal | float) -> int:
    """US dollars in pico-dollars; a fraction of one counts as one.

    A float means the decimal number that it is written as.
    """
    exact = amount if isinstance(amount, Decimal) else Decimal(str(amount))
    return int(exact.scaleb(12).to_integral_value(ROUND_CEILING))
