"""How budgets stand: what the control plane has counted, and how fast the store says it goes."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

import anyio
from pydantic import Field

from agentguard.budgets.spend import Spend, pico_dollars
from agentguard_mcp.backend import Call
from agentguard_mcp.shapes import Spent, Usd
from agentguard_mcp.tool import Result
from agentguard_storage.control import Budget
from agentguard_storage.control.budgets import Standing
from agentguard_storage.control.periods import bounds
from agentguard_storage.queries.advice import Advice, PerHour, advise
from agentguard_storage.queries.burn import Burn, BurnScope
from agentguard_storage.queries.errors import QueryError

__all__ = ["BudgetOutlook", "outlooks"]

_MOST_POTS: Final = 10
_MOST: Final = 40


class Whose(Result):
    """What clients have chosen."""

    scope_value: str


class Rate(Result):
    """What is spent in an hour, by what was recorded in the last one or two."""

    usd: Usd
    tokens: float
    calls: float
    unpriced_calls: int
    """Calls whose price is not known; they are not in the dollars."""


class BudgetOutlook(Result):
    """One budget; where it is per user, agent and so on, one of their parts of it."""

    name: str
    scope: str
    period: str
    advice: Advice
    reason: str
    limits: Spent
    spent: Spent
    held: Spent = Field(description="Reserved, and not spent yet.")
    left: Spent
    used: float = Field(description="The share of the tightest limit that is spent or held.")
    burn_per_hour: Rate | None = Field(
        None, description="Left out where the store does not answer."
    )
    runs_out_at: datetime | None = Field(None, description="At the present rate.")
    resets_at: datetime | None = None
    untrusted: Whose | None = None


async def outlooks(call: Call, name: str | None, scope_value: str | None) -> list[BudgetOutlook]:
    """How the project's budgets stand, or the one of that name; the most used parts of each.

    Raises UnknownBudget, ControlPlaneUnavailable. Where the store is away, rates are missing.
    """
    pots = await call.run(lambda: _standings(call, name, scope_value))
    now = datetime.now(UTC)
    wanted = {_rated(budget, pot) for budget, pot in pots}
    rates: dict[tuple[BurnScope, str], Burn] = {}

    async def rate(scope: BurnScope, value: str) -> None:
        try:
            rates[scope, value] = await call.ask(call.backend.rates.of, scope, value, now=now)
        except QueryError:
            # Whether to go on is answered all the same: what was spent is known without it.
            return

    async with anyio.create_task_group() as group:
        for each in wanted:
            group.start_soon(rate, *each)
    return [_outlook(budget, pot, rates.get(_rated(budget, pot)), now) for budget, pot in pots]


def _standings(
    call: Call, name: str | None, scope_value: str | None
) -> list[tuple[Budget, Standing]]:
    budgets = call.backend.control.budgets
    chosen = budgets.list(call.project_id) if name is None else [budgets.get(call.project_id, name)]
    found: list[tuple[Budget, Standing]] = []
    for budget in chosen[:_MOST]:
        pots = budgets.standings(budget)
        if scope_value is not None and budget.scope != "project":
            pots = [pot for pot in pots if pot.scope_value == scope_value]
        found += [(budget, pot) for pot in pots[:_MOST_POTS] or [_empty(budget, scope_value)]]
    return found[:_MOST]


def _empty(budget: Budget, scope_value: str | None) -> Standing:
    starts_at, ends_at = bounds(budget.every, budget.timezone, datetime.now(UTC))
    whose = "" if budget.scope == "project" else scope_value or ""
    return Standing(whose, starts_at, ends_at, Spend(), Spend())


def _rated(budget: Budget, pot: Standing) -> tuple[BurnScope, str]:
    scope: BurnScope = budget.scope  # type: ignore[assignment]  # the words are the same
    return scope, pot.scope_value


def _outlook(budget: Budget, pot: Standing, burn: Burn | None, now: datetime) -> BudgetOutlook:
    rate = _per_hour(burn) if burn else PerHour()
    outlook = advise(budget.limits, pot.spent, pot.held, rate, now=now, resets_at=pot.ends_at)
    return BudgetOutlook(
        name=budget.name,
        scope=budget.scope,
        period=budget.period,
        advice=outlook.advice,
        reason=outlook.reason,
        limits=Spent.of(budget.limits),
        spent=Spent.of(pot.spent),
        held=Spent.of(pot.held),
        left=Spent.of(outlook.left),
        used=round(outlook.used, 4),
        burn_per_hour=_shown(burn) if burn else None,
        runs_out_at=outlook.runs_out_at,
        resets_at=pot.ends_at,
        untrusted=Whose(scope_value=pot.scope_value) if pot.scope_value else None,
    )


def _per_hour(burn: Burn) -> PerHour:
    return PerHour(
        burn.calls_per_hour, burn.tokens_per_hour, float(pico_dollars(burn.cost_per_hour))
    )


def _shown(burn: Burn) -> Rate:
    return Rate(
        usd=burn.cost_per_hour.quantize(Decimal("0.000001")),
        tokens=round(burn.tokens_per_hour, 1),
        calls=round(burn.calls_per_hour, 1),
        unpriced_calls=burn.unpriced_calls,
    )
