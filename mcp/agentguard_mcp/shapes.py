"""Shapes that several tools take or give: ids, money, amounts, the time a question is about."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Final

from pydantic import AfterValidator, AwareDatetime, Field, PlainSerializer, StringConstraints

from agentguard.budgets.spend import Limits, Spend, pico_dollars
from agentguard_mcp.tool import Arguments, Result
from agentguard_storage.queries.hours import TimeRange

__all__ = [
    "Amounts",
    "BudgetName",
    "Cursor",
    "FilterText",
    "Limit",
    "SpanId",
    "Spent",
    "Timed",
    "TraceId",
    "Usd",
    "dollars",
]

TraceId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-fA-F]{32}$"),
    AfterValidator(str.lower),
    Field(description="A trace id: 32 hexadecimal digits."),
]
SpanId = Annotated[
    str,
    StringConstraints(pattern=r"^[0-9a-fA-F]{16}$"),
    AfterValidator(str.lower),
    Field(description="A span id: 16 hexadecimal digits."),
]
BudgetName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Usd = Annotated[Decimal, PlainSerializer(float, return_type=float)]
"""US dollars; a number in JSON."""
Limit = Annotated[int, Field(ge=1, le=100, description="How many rows at most.")]
Cursor = Annotated[
    str | None,
    StringConstraints(max_length=2048),
    Field(description="`next_cursor` of the page before, to go on after it."),
]
FilterText = Annotated[
    str,
    StringConstraints(max_length=2000),
    Field(
        description="Filter language: kind:llm model:gpt-4o* cost:>0.05 duration:>2s status:error "
        'agent:Researcher attr.customer.tier:gold "exact text" -env:dev; OR, parentheses; for the '
        "whole trace trace.cost:>1 trace.guard:loop; for descendants tool:search < agent:Planner."
    ),
]

_UNITS: Final = {"m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


class Timed(Arguments):
    """Arguments of a question about a time."""

    last: Annotated[
        str,
        StringConstraints(pattern=r"^[1-9][0-9]{0,4}[mhdw]$"),
        Field(description="How far back, such as 30m, 24h, 7d, 4w; without meaning beside start."),
    ] = "24h"
    start: Annotated[
        AwareDatetime | None, Field(description="The beginning, such as 2026-01-31T12:00:00Z.")
    ] = None
    end: Annotated[AwareDatetime | None, Field(description="The end; now where none is given.")] = (
        None
    )

    def range(self) -> TimeRange:
        """The range that is meant, at most 400 days. Raises InvalidQuery."""
        end = self.end or datetime.now(UTC) + timedelta(seconds=1)
        back = timedelta(seconds=int(self.last[:-1]) * _UNITS[self.last[-1]])
        return TimeRange(self.start or end - back, end).of_a_request()


Count = Annotated[int, Field(ge=0, le=10**15)]
Dollars = Annotated[Decimal, Field(ge=0, le=1_000_000, allow_inf_nan=False)]


class Amounts(Arguments):
    """Dollars, tokens and calls that a tool is given; at least one of them."""

    usd: Annotated[Dollars | None, Field(description="US dollars.")] = None
    tokens: Annotated[Count | None, Field(description="Tokens, of all kinds together.")] = None
    calls: Annotated[Count | None, Field(description="Model calls.")] = None

    def spend(self) -> Spend:
        """As the budgets count; nothing for what was not given."""
        usd = 0 if self.usd is None else pico_dollars(self.usd)
        return Spend(self.calls or 0, self.tokens or 0, usd)

    def limits(self, before: Limits | None = None) -> Limits:
        """As limits; what was not given is as before."""
        calls, tokens, pico = before or Limits()
        usd = pico if self.usd is None else pico_dollars(self.usd)
        return Limits(
            calls if self.calls is None else self.calls,
            tokens if self.tokens is None else self.tokens,
            usd,
        )


class Spent(Result):
    """Dollars, tokens and calls; what is left out has no limit."""

    usd: Usd | None = None
    tokens: int | None = None
    calls: int | None = None

    @classmethod
    def of(cls, counts: Spend | Limits) -> Spent:
        """From what a budget counts."""
        calls, tokens, pico = counts
        return cls(usd=None if pico is None else dollars(pico), tokens=tokens, calls=calls)


def dollars(pico: int) -> Decimal:
    """Pico-dollars in dollars."""
    return Decimal(pico).scaleb(-12)
