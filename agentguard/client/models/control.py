"""Budgets, stops, prices, shares and annotations."""

from __future__ import annotations

from datetime import date, datetime

from pydantic import Field

from agentguard.client.models.base import Model

__all__ = [
    "Amount",
    "Amounts",
    "Annotation",
    "Annotations",
    "Budget",
    "BudgetCheck",
    "BurnRate",
    "CheckedPot",
    "Limits",
    "Pot",
    "Price",
    "Prices",
    "Reservation",
    "Share",
    "ShareMade",
    "Shares",
    "Stop",
    "Stops",
]


class Limits(Model):
    """The most that may be spent; null where there is no limit."""

    calls: int | None = None
    tokens: int | None = None
    pico_usd: int | None = None


class Amount(Model):
    """Calls, tokens and pico-dollars."""

    calls: int = 0
    tokens: int = 0
    pico_usd: int = 0


class Pot(Model):
    """How one value of the scope stands in this period."""

    scope_value: str
    starts_at: datetime
    ends_at: datetime | None
    spent: Amount
    held: Amount


class Budget(Model):
    """A budget; `pots` where one budget was asked for."""

    name: str
    scope: str
    limits: Limits
    period: str
    timezone: str
    created_at: datetime
    updated_at: datetime
    pots: list[Pot] | None = None


class Reservation(Model):
    """How a reservation stands, and the pot it is of. Times are seconds from now."""

    id: str
    state: str
    amount: Amount
    expires_in: float
    limits: Limits
    spent: Amount
    held: Amount
    resets_in: float | None


class Amounts(Model):
    """Dollars, tokens and calls; null where there is no limit."""

    usd: float | None
    tokens: int | None
    calls: int | None


class BurnRate(Model):
    """What is spent in an hour, by what was recorded in the last one or two."""

    usd: float
    tokens: float
    calls: float
    unpriced_calls: int


class CheckedPot(Model):
    """How one value of the budget's scope stands, and what to do."""

    scope_value: str
    advice: str
    reason: str
    spent: Amounts
    held: Amounts
    left: Amounts
    used: float
    burn_per_hour: BurnRate | None
    runs_out_at: datetime | None
    resets_at: datetime | None


class BudgetCheck(Model):
    """A budget, and advice to those who spend it; `advice` is the strictest of its pots'."""

    name: str
    scope: str
    period: str
    limits: Amounts
    advice: str
    pots: list[CheckedPot]


class Stop(Model):
    """A stop that is in force, or was lifted."""

    id: str
    what: str
    target: str
    reason: str
    created_at: datetime
    lifted_at: datetime | None


class Stops(Model):
    """The stops in force, all of them, and what to watch for changes after."""

    stops: list[Stop]
    cursor: str


class Price(Model):
    """One entry, a `[[price]]` of the file: USD per million tokens, `per_request` in USD."""

    provider: str = ""
    model: str
    match: str = "exact"
    from_: date = Field(date.fromisoformat("1970-01-01"), alias="from")
    input: str
    output: str
    cache_read: str | None = None
    cache_write: str | None = None
    reasoning: str | None = None
    per_request: str = "0"


class Prices(Model):
    """The entries as a file of overrides has them, the one that wins first; dollars are texts.

    `version` is the ETag's.
    """

    version: str
    prices: list[Price]


class Share(Model):
    """A link, without what makes it one: its token is told once, to whoever made it."""

    id: str
    trace_id: str
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None


class ShareMade(Model):
    """A new link. It cannot be had again: keep the address, or make another."""

    id: str
    trace_id: str
    created_by: str
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    token: str = Field(repr=False)
    url: str = Field(repr=False)


class Shares(Model):
    """The links that are good now, the newest first."""

    data: list[Share]


class Annotation(Model):
    """A note, and who wrote it: the name and the id of the key."""

    id: str
    trace_id: str
    span_id: str | None
    text: str
    label: str
    score: float | None
    author: str
    author_key: str
    created_at: datetime


class Annotations(Model):
    """The notes on a trace and its spans, the oldest first."""

    data: list[Annotation]
