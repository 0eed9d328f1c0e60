"""May it go on? /api/v1/budgets/{name}/check."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from agentguard.budgets.spend import Limits, Spend, pico_dollars
from agentguard_collector.api.asking import Asked, Asking
from agentguard_collector.api.budgets import BudgetName
from agentguard_collector.api.parameters import NO_CONTROLS
from agentguard_collector.api.routing import MISSING, api_router
from agentguard_collector.api.shapes import Moment, Shape
from agentguard_storage.control import Budget, ControlPlane
from agentguard_storage.control.budgets import Standing
from agentguard_storage.control.periods import bounds
from agentguard_storage.queries.advice import Advice, PerHour, advise
from agentguard_storage.queries.burn import Burn, BurnRates
from agentguard_storage.queries.errors import QueryError

__all__ = ["router"]

_MOST_POTS: Final = 10


class Amounts(Shape):
    """Dollars, tokens and calls; null where there is no limit."""

    usd: float | None
    tokens: int | None
    calls: int | None

    @classmethod
    def of(cls, spend: Spend | Limits) -> Amounts:
        """From what the control plane says: dollars are whole pico-dollars there."""
        calls, tokens, pico_usd = spend
        return cls(usd=None if pico_usd is None else pico_usd / 1e12, tokens=tokens, calls=calls)


class RateOut(Shape):
    """What is spent in an hour, by what was recorded in the last one or two."""

    usd: float
    tokens: float
    calls: float
    unpriced_calls: int = Field(description="Calls whose price is not known, not in the dollars.")


class CheckedPot(Shape):
    """How one value of the budget's scope stands, and what to do."""

    scope_value: str
    advice: Advice
    reason: str
    spent: Amounts
    held: Amounts = Field(description="Reserved, and not spent yet.")
    left: Amounts
    used: float = Field(description="The share of the tightest limit that is spent or held.")
    burn_per_hour: RateOut | None = Field(description="Null where the store does not answer.")
    runs_out_at: Moment | None = Field(description="At the present rate.")
    resets_at: Moment | None


class CheckOut(Shape):
    """A budget, and advice to those who spend it; `advice` is the strictest of its pots'."""

    name: str
    scope: str
    period: str
    limits: Amounts
    advice: Advice
    pots: list[CheckedPot]


def router(control: ControlPlane) -> APIRouter:
    """Advice on budgets; under /budgets as well."""
    made, rates = api_router("budgets"), BurnRates()

    @made.get("/{name}/check", response_model=CheckOut, responses=MISSING)
    async def check_budget(
        asking: Asking,
        name: BudgetName,
        scope_value: Annotated[
            str | None,
            Query(
                max_length=256,
                pattern=NO_CONTROLS,
                description="Which user, agent and so on; the ten that spent most, unless given.",
            ),
        ] = None,
    ) -> Response:
        """What is left, how fast it goes, when it runs out, and whether to go on."""
        now = datetime.now(UTC)
        project = asking.who.project_id

        def check() -> CheckOut:
            budget = control.budgets.get(project, name)
            pots = _pots(budget, control.budgets.standings(budget), scope_value, now)
            checked = [
                _checked(budget, pot, _burn(rates, asking, budget, pot, now), now) for pot in pots
            ]
            return CheckOut(
                name=budget.name,
                scope=budget.scope,
                period=budget.period,
                limits=Amounts.of(budget.limits),
                advice=max((pot.advice for pot in checked), key=_strictness),
                pots=checked,
            )

        return await asking.answer(check)

    return made


def _strictness(advice: Advice) -> int:
    return ("go_on", "slow_down", "stop").index(advice)


def _pots(
    budget: Budget, pots: list[Standing], scope_value: str | None, now: datetime
) -> list[Standing]:
    if scope_value is not None and budget.scope != "project":
        pots = [pot for pot in pots if pot.scope_value == scope_value]
    if pots:
        return pots[:_MOST_POTS]
    starts_at, ends_at = bounds(budget.every, budget.timezone, now)
    whose = "" if budget.scope == "project" else scope_value or ""
    return [Standing(whose, starts_at, ends_at, Spend(), Spend())]


def _burn(
    rates: BurnRates, asking: Asked, budget: Budget, pot: Standing, now: datetime
) -> Burn | None:
    try:
        return rates.of(asking.reader(), budget.scope, pot.scope_value, now=now)  # type: ignore[arg-type]
    except QueryError:
        # Whether to go on is answered all the same: what was spent is known without it.
        return None


def _checked(budget: Budget, pot: Standing, burn: Burn | None, now: datetime) -> CheckedPot:
    rate = PerHour()
    if burn is not None:
        pico = float(pico_dollars(burn.cost_per_hour))
        rate = PerHour(burn.calls_per_hour, burn.tokens_per_hour, pico)
    outlook = advise(budget.limits, pot.spent, pot.held, rate, now=now, resets_at=pot.ends_at)
    return CheckedPot(
        scope_value=pot.scope_value,
        advice=outlook.advice,
        reason=outlook.reason,
        spent=Amounts.of(pot.spent),
        held=Amounts.of(pot.held),
        left=Amounts.of(outlook.left),
        used=round(outlook.used, 4),
        burn_per_hour=None
        if burn is None
        else RateOut(
            usd=float(burn.cost_per_hour),
            tokens=burn.tokens_per_hour,
            calls=burn.calls_per_hour,
            unpriced_calls=burn.unpriced_calls,
        ),
        runs_out_at=outlook.runs_out_at,
        resets_at=pot.ends_at,
    )
