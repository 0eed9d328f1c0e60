"""Shared budgets: setting them up, and what was spent of them. Spending is in `reservations`."""

import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from agentguard.budgets.spend import Limits, Spend
from agentguard_storage.control.budget_models import Budget, Pot
from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.errors import InvalidValue, UnknownBudget, UnknownProject
from agentguard_storage.control.models import Project
from agentguard_storage.control.periods import Period, bounds, checked_zone

__all__ = ["MOST", "SCOPES", "Budgets", "Standing", "find_budget"]

MOST: Final = 10**18
"""The highest limit and the largest amount: calls, tokens, or pico-dollars (a million dollars)."""
SCOPES: Final = ("project", "service", "user", "session", "goal", "agent", "tool", "model")
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_SHOWN_POTS: Final = 1000


@dataclass(frozen=True, slots=True)
class Standing:
    """How one pot of a budget stands."""

    scope_value: str
    starts_at: datetime
    ends_at: datetime | None
    spent: Spend
    held: Spend


class Budgets:
    """Manages the budgets of all projects. Every method may raise ControlPlaneUnavailable."""

    def __init__(
        self, database: ControlDatabase, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._now = now

    def put(
        self,
        project_id: str,
        name: str,
        limits: Limits,
        *,
        scope: str = "project",
        period: str = "none",
        timezone: str = "UTC",
    ) -> Budget:
        """Set up a budget, or change one: what was spent stays. Raises InvalidValue."""
        _check(name, limits, scope, period)
        zone = checked_zone(timezone)
        with self._database.writing() as session:
            if session.get(Project, project_id) is None:
                raise UnknownProject(f"there is no project with the id {project_id!r}")
            query = select(Budget).where(Budget.project_id == project_id, Budget.name == name)
            budget = session.scalar(query.with_for_update())
            now = self._now()
            if budget is None:
                budget = Budget(
                    id="bud_" + secrets.token_hex(6),
                    project_id=project_id,
                    name=name,
                    created_at=now,
                )
                session.add(budget)
            budget.max_calls, budget.max_tokens, budget.max_pico_usd = limits
            budget.scope, budget.period, budget.timezone = scope, period, zone
            budget.updated_at = now
        return budget

    def get(self, project_id: str, name: str) -> Budget:
        """Find a budget. Raises UnknownBudget."""
        with self._database.reading() as session:
            return find_budget(session, project_id, name)

    def delete(self, project_id: str, name: str) -> None:
        """Remove a budget and all that is known of its spending. Raises UnknownBudget."""
        with self._database.writing() as session:
            budget = find_budget(session, project_id, name)
            session.execute(delete(Budget).where(Budget.id == budget.id))

    def standings(self, budget: Budget) -> list[Standing]:
        """The pots of the current period, those with the most spent first; at most 1,000."""
        starts_at, ends_at = bounds(budget.every, budget.timezone, self._now())
        query = (
            select(Pot)
            .where(Pot.budget_id == budget.id, Pot.starts_at == starts_at)
            .order_by(Pot.spent_pico_usd.desc(), Pot.spent_calls.desc(), Pot.scope_value)
            .limit(_SHOWN_POTS)
        )
        with self._database.reading() as session:
            return [
                Standing(pot.scope_value, pot.starts_at, ends_at, pot.spent, pot.held)
                for pot in session.scalars(query)
            ]

    def reset(self, project_id: str, name: str, scope_value: str | None = None) -> int:
        """Begin anew, as if nothing had been spent in this period; the number of pots reset.

        What is held stays so: it may be spent at this moment. Raises UnknownBudget.
        """
        with self._database.writing() as session:
            budget = find_budget(session, project_id, name)
            starts_at, _ = bounds(budget.every, budget.timezone, self._now())
            pots = update(Pot).where(Pot.budget_id == budget.id, Pot.starts_at == starts_at)
            if scope_value is not None:
                pots = pots.where(Pot.scope_value == scope_value)
            done = session.execute(pots.values(spent_calls=0, spent_tokens=0, spent_pico_usd=0))
            return int(done.rowcount)  # type: ignore[attr-defined]

    def list(self, project_id: str) -> list[Budget]:
        """The budgets of a project, by name."""
        query = select(Budget).where(Budget.project_id == project_id).order_by(Budget.name)
        with self._database.reading() as session:
            return list(session.scalars(query))


def find_budget(session: Session, project_id: str, name: str) -> Budget:
    """The project's budget of that name. Raises UnknownBudget."""
    query = select(Budget).where(Budget.project_id == project_id, Budget.name == name)
    budget = session.scalar(query)
    if budget is None:
        raise UnknownBudget(
            f"there is no budget {name[:100]!r} in this project; "
            "set one up with: agentguard budgets set"
        )
    return budget


def _check(name: str, limits: Limits, scope: str, period: str) -> None:
    if not NAME.fullmatch(name):
        raise InvalidValue(
            "a budget's name is 1 to 100 letters, digits, dots, dashes and underscores, "
            "and begins with a letter or digit"
        )
    if scope not in SCOPES:
        raise InvalidValue(f"the scope {scope!r} is not one of: {', '.join(SCOPES)}")
    if period not in set(Period):
        raise InvalidValue(f"the period {period!r} is not one of: {', '.join(Period)}")
    if limits == Limits():
        raise InvalidValue("a budget needs a limit: in US dollars, calls or tokens")
    for unit, limit in zip(("calls", "tokens", "US dollars"), limits, strict=True):
        if limit is not None and not 0 <= limit <= MOST:
            most = "a million" if unit == "US dollars" else f"{MOST:.0e}"
            raise InvalidValue(f"the limit in {unit} must be 0 to {most}")
