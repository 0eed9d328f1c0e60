"""Shared budgets: /api/v1/budgets.

Handlers are plain functions, which FastAPI runs in threads: the control plane waits for a
database.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path

from agentguard_collector.api.access import Admin, MayBudget, MaySpend, Read
from agentguard_collector.api.budget_models import (
    BudgetIn,
    BudgetOut,
    Release,
    ReservationOut,
    Reserve,
    Reset,
    Settle,
)
from agentguard_collector.api.routing import api_router
from agentguard_storage.control import ControlPlane

__all__ = ["BudgetName", "router"]

BudgetName = Annotated[
    str,
    Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="Its name.", examples=["team"]),
]

_CONFLICT: dict[int | str, dict[str, object]] = {409: {}}


def router(control: ControlPlane) -> APIRouter:
    """Setting budgets up, and spending them."""
    made = api_router("budgets")
    budgets, reservations = control.budgets, control.reservations

    @made.get("")
    def list_budgets(who: Read) -> list[BudgetOut]:
        """The project's budgets, by name."""
        return [BudgetOut.of(each) for each in budgets.list(who.project_id)]

    @made.get("/{name}")
    def get_budget(name: BudgetName, who: Read) -> BudgetOut:
        """A budget, and what was spent of it in this period, the most first (1,000 at most)."""
        budget = budgets.get(who.project_id, name)
        return BudgetOut.of(budget, budgets.standings(budget))

    @made.get("/{name}/terms")
    def get_budget_terms(name: BudgetName, who: MaySpend) -> BudgetOut:
        """What a process that spends it has to know: its limits and scope, and not who spent."""
        return BudgetOut.of(budgets.get(who.project_id, name))

    @made.put("/{name}")
    def put_budget(name: BudgetName, given: BudgetIn, who: MayBudget) -> BudgetOut:
        """Set a budget up, or change it: what was spent stays."""
        return BudgetOut.of(
            budgets.put(
                who.project_id,
                name,
                given.limits.limits(),
                scope=given.scope,
                period=given.period,
                timezone=given.timezone,
            )
        )

    @made.delete("/{name}", status_code=204)
    def delete_budget(name: BudgetName, who: Admin) -> None:
        """Remove a budget, and all that is known of its spending."""
        budgets.delete(who.project_id, name)

    @made.post("/{name}/reset")
    def reset_budget(name: BudgetName, who: Admin, given: Reset | None = None) -> BudgetOut:
        """Begin anew, as if nothing had been spent in this period."""
        budgets.reset(who.project_id, name, given.scope_value if given else None)
        budget = budgets.get(who.project_id, name)
        return BudgetOut.of(budget, budgets.standings(budget))

    @made.post("/{name}/reserve", responses=_CONFLICT)
    def reserve_budget(name: BudgetName, given: Reserve, who: MaySpend) -> ReservationOut:
        """Hold an amount before it is spent. `state` says whether it could be held."""
        answer = reservations.reserve(
            who.project_id,
            name,
            given.id,
            given.amount.spend(),
            minimum=given.minimum.spend() if given.minimum else None,
            scope_value=given.scope_value,
            ttl_s=given.ttl_s,
            replaces=given.replaces,
            replaced_spent=given.replaced_spent.spend(),
        )
        return ReservationOut.of(given.id, answer)

    @made.post("/{name}/settle", responses=_CONFLICT)
    def settle_budget(name: BudgetName, given: Settle, who: MaySpend) -> ReservationOut:
        """Tell what was spent under a reservation. Sent twice, it counts once."""
        answer = reservations.settle(
            who.project_id,
            name,
            given.id,
            given.spent.spend(),
            final=given.final,
            keep=given.keep.spend() if given.keep else None,
            ttl_s=given.ttl_s,
        )
        return ReservationOut.of(given.id, answer)

    @made.post("/{name}/release", responses=_CONFLICT)
    def release_budget(name: BudgetName, given: Release, who: MaySpend) -> ReservationOut:
        """End a reservation of which nothing was spent."""
        return ReservationOut.of(given.id, reservations.release(who.project_id, name, given.id))

    return made
