"""The shapes of budgets and reservations. Dollars are whole pico-dollars, 10**-12."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from agentguard.budgets.spend import Limits, Spend
from agentguard_collector.api.parameters import TIME_ZONE
from agentguard_collector.api.shapes import WHOLE
from agentguard_storage.control import Budget
from agentguard_storage.control.budgets import MOST, Standing
from agentguard_storage.control.periods import Period
from agentguard_storage.control.reservations import MAXIMUM_TTL_S, Answer
from agentguard_storage.queries.burn import BurnScope

__all__ = [
    "Amount",
    "BudgetIn",
    "BudgetOut",
    "LimitsModel",
    "PotOut",
    "Release",
    "ReservationOut",
    "Reserve",
    "Reset",
    "Settle",
]

Count = Annotated[int, Field(ge=0, le=MOST, strict=True), WHOLE]
ReservationId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{8,64}$")]
ScopeValue = Annotated[str, StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$")]
Seconds = Annotated[float, Field(gt=0, le=MAXIMUM_TTL_S, allow_inf_nan=False, strict=True)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Amount(_Model):
    """Calls, tokens and pico-dollars."""

    calls: Count = 0
    tokens: Count = 0
    pico_usd: Count = 0

    def spend(self) -> Spend:
        """As the SDK counts."""
        return Spend(self.calls, self.tokens, self.pico_usd)


class LimitsModel(_Model):
    """The most that may be spent; null where there is no limit."""

    calls: Count | None = None
    tokens: Count | None = None
    pico_usd: Count | None = None

    def limits(self) -> Limits:
        """As the SDK counts."""
        return Limits(self.calls, self.tokens, self.pico_usd)


def _one_at_least(schema: dict[str, Any]) -> None:
    schema["anyOf"] = [
        {"required": [name], "properties": {name: {"type": "integer"}}}
        for name in schema["properties"]
    ]


class LimitsIn(LimitsModel):
    """One limit at least."""

    model_config = ConfigDict(extra="forbid", json_schema_extra=_one_at_least)


class BudgetIn(_Model):
    """What a budget is set up with."""

    limits: LimitsIn
    scope: BurnScope = "project"
    period: Period = Period.NONE
    timezone: Annotated[
        str,
        Field(
            max_length=64,
            pattern=r"^[^\x00-\x1f\x7f]*$",
            json_schema_extra={"format": TIME_ZONE},
        ),
    ] = "UTC"


class PotOut(_Model):
    """How one value of the scope stands in this period."""

    scope_value: str
    starts_at: datetime
    ends_at: datetime | None
    spent: Amount
    held: Amount

    @classmethod
    def of(cls, pot: Standing) -> PotOut:
        """From what the control plane says."""
        return cls(
            scope_value=pot.scope_value,
            starts_at=pot.starts_at,
            ends_at=pot.ends_at,
            spent=_amount(pot.spent),
            held=_amount(pot.held),
        )


class BudgetOut(_Model):
    """A budget; `pots` where one budget was asked for."""

    name: str
    scope: str
    limits: LimitsModel
    period: str
    timezone: str
    created_at: datetime
    updated_at: datetime
    pots: list[PotOut] | None = None

    @classmethod
    def of(cls, budget: Budget, pots: list[Standing] | None = None) -> BudgetOut:
        """From what the control plane says."""
        return cls(
            name=budget.name,
            scope=budget.scope,
            limits=_limits(budget.limits),
            period=budget.period,
            timezone=budget.timezone,
            created_at=budget.created_at,
            updated_at=budget.updated_at,
            pots=None if pots is None else [PotOut.of(pot) for pot in pots],
        )


class Reset(_Model):
    """Which pot begins anew; all of them where nothing is said."""

    scope_value: ScopeValue | None = None


class Reserve(_Model):
    """What to hold, between `minimum` (all of it, unless given) and `amount`.

    `replaces` is a reservation that ends with this, with `replaced_spent` spent under it in total.
    """

    id: ReservationId
    amount: Amount
    minimum: Amount | None = None
    scope_value: ScopeValue = ""
    ttl_s: Seconds = 30.0
    replaces: ReservationId | None = None
    replaced_spent: Amount = Amount()


class Settle(_Model):
    """What was spent under a reservation, in total so far.

    Where it is not `final`, `keep` is the most that stays held, and `ttl_s` lets it go on.
    """

    id: ReservationId
    spent: Amount
    final: Annotated[bool, Field(strict=True)] = True
    keep: Amount | None = None
    ttl_s: Seconds | None = None


class Release(_Model):
    """The reservation that ends without having been spent."""

    id: ReservationId


class ReservationOut(_Model):
    """How a reservation stands, and the pot it is of. Times are seconds from now."""

    id: str
    state: Literal["open", "settled", "released", "expired", "refused"]
    amount: Amount
    expires_in: float
    limits: LimitsModel
    spent: Amount
    held: Amount
    resets_in: float | None

    @classmethod
    def of(cls, reservation_id: str, answer: Answer) -> ReservationOut:
        """From what the control plane says."""
        return cls(
            id=reservation_id,
            state=answer.state,  # type: ignore[arg-type]
            amount=_amount(answer.amount),
            expires_in=answer.expires_in,
            limits=_limits(answer.limits),
            spent=_amount(answer.spent),
            held=_amount(answer.held),
            resets_in=answer.resets_in,
        )


def _amount(spend: Spend) -> Amount:
    # What was counted beyond a limit may be more than anybody may ask for at once.
    return Amount.model_construct(calls=spend[0], tokens=spend[1], pico_usd=spend[2])


def _limits(limits: Limits) -> LimitsModel:
    return LimitsModel(calls=limits[0], tokens=limits[1], pico_usd=limits[2])
