"""Tools about budgets: may I go on, reserve some of it, tell what was spent, set one up."""

from __future__ import annotations

import secrets
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints, model_validator

from agentguard.budgets.spend import Limits, Spend
from agentguard_mcp.backend import Call
from agentguard_mcp.budget_outlook import BudgetOutlook, outlooks
from agentguard_mcp.shapes import Amounts, BudgetName, Spent
from agentguard_mcp.tool import Arguments, Result, Tool
from agentguard_storage.control import Scope
from agentguard_storage.control.errors import UnknownBudget
from agentguard_storage.control.reservations import Answer
from agentguard_storage.queries.advice import Advice

__all__ = ["TOOLS"]

ScopeValue = Annotated[
    str,
    StringConstraints(max_length=256, pattern=r"^[^\x00-\x1f\x7f]*$"),
    Field(description="Whose part of it, where a budget is per user, session, agent, and so on."),
]
ReservationId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9._:-]{8,64}$")]
_ORDER: Final[tuple[Advice, ...]] = ("go_on", "slow_down", "stop")


class CheckBudget(Arguments):
    """What check_budget takes."""

    name: Annotated[
        BudgetName | None, Field(description="A budget's name; all of them where none is given.")
    ] = None
    scope_value: ScopeValue | None = None


class Checked(Result):
    """What check_budget gives."""

    advice: Advice
    """The strictest of all budgets asked about."""
    reason: str
    budgets: list[BudgetOutlook]


class _Needs(Amounts):
    @model_validator(mode="after")
    def _something(self) -> _Needs:
        if self.usd is None and self.tokens is None and self.calls is None:
            raise ValueError("give usd, tokens or calls")
        return self


class ReserveBudget(_Needs):
    """What reserve_budget takes."""

    name: BudgetName
    scope_value: ScopeValue = ""
    seconds: Annotated[
        int, Field(ge=1, le=3600, description="How long it is held, unless it is reported before.")
    ] = 300
    reservation_id: Annotated[
        ReservationId | None, Field(description="Your own id, to ask again safely.")
    ] = None


class ReportUsage(_Needs):
    """What report_usage takes."""

    name: BudgetName
    reservation_id: Annotated[ReservationId, Field(description="What reserve_budget gave.")]
    final: Annotated[bool, Field(description="Whether that was all; frees the rest.")] = True


class Reservation(Result):
    """How a reservation and its budget stand."""

    state: Literal["open", "settled", "released", "expired", "refused"]
    reservation_id: str
    granted: Spent
    expires_in_s: float
    left: Spent
    resets_in_s: float | None = None


class SetBudget(_Needs):
    """What set_budget takes."""

    name: BudgetName
    period: Annotated[
        Literal["none", "hour", "day", "week", "month"] | None,
        Field(description="When it begins anew."),
    ] = None
    scope: Annotated[
        Literal["project", "service", "user", "session", "goal", "agent", "tool", "model"] | None,
        Field(description="What has a budget of its own, each."),
    ] = None
    timezone: Annotated[
        str | None,
        StringConstraints(max_length=64),
        Field(description="Whose midnight, such as Europe/Berlin."),
    ] = None


class BudgetSet(Result):
    """What set_budget gives."""

    name: str
    limits: Spent
    period: str
    scope: str
    timezone: str
    was: Spent | None = None
    """The limits before, where there were any."""


async def _check(call: Call, given: CheckBudget) -> Checked:
    found = await outlooks(call, given.name, given.scope_value)
    if not found:
        return Checked(
            advice="go_on", reason="this project has no budgets, so nothing limits it", budgets=[]
        )
    worst = max(found, key=lambda each: _ORDER.index(each.advice))
    return Checked(advice=worst.advice, reason=f"{worst.name}: {worst.reason}", budgets=found)


async def _reserve(call: Call, given: ReserveBudget) -> Reservation:
    number = given.reservation_id or "mcp_" + secrets.token_hex(12)
    reservations = call.backend.control.reservations
    answer = await call.run(
        lambda: reservations.reserve(
            call.project_id,
            given.name,
            number,
            given.spend(),
            scope_value=given.scope_value,
            ttl_s=float(given.seconds),
        )
    )
    return _reservation(number, answer)


async def _report(call: Call, given: ReportUsage) -> Reservation:
    reservations = call.backend.control.reservations
    answer = await call.run(
        lambda: reservations.settle(
            call.project_id,
            given.name,
            given.reservation_id,
            given.spend(),
            final=given.final,
        )
    )
    return _reservation(given.reservation_id, answer)


async def _set(call: Call, given: SetBudget) -> BudgetSet:
    budgets = call.backend.control.budgets

    def put() -> BudgetSet:
        try:
            before = budgets.get(call.project_id, given.name)
        except UnknownBudget:
            before = None
        budget = budgets.put(
            call.project_id,
            given.name,
            given.limits(before.limits if before else None),
            scope=given.scope or (before.scope if before else "project"),
            period=given.period or (before.period if before else "none"),
            timezone=given.timezone or (before.timezone if before else "UTC"),
        )
        return BudgetSet(
            name=budget.name,
            limits=Spent.of(budget.limits),
            period=budget.period,
            scope=budget.scope,
            timezone=budget.timezone,
            was=Spent.of(before.limits) if before else None,
        )

    return await call.run(put)


def _reservation(number: str, answer: Answer) -> Reservation:
    return Reservation.model_validate(
        {
            "state": answer.state,
            "reservation_id": number,
            "granted": Spent.of(answer.amount),
            "expires_in_s": answer.expires_in,
            "left": Spent.of(_left(answer.limits, answer.spent, answer.held)),
            "resets_in_s": answer.resets_in,
        }
    )


def _left(limits: Limits, spent: Spend, held: Spend) -> Limits:
    rest = (
        None if limit is None else max(0, limit - gone - kept)
        for limit, gone, kept in zip(limits, spent, held, strict=True)
    )
    return Limits(*rest)


TOOLS: Final = (
    Tool(
        name="check_budget",
        title="May I go on?",
        description="Ask before costly work, and now and then during it: the dollars, tokens and "
        "calls left of each budget, how fast they go, when they run out, and advice: go_on; "
        "slow_down (use a cheaper model, shorter prompts, fewer calls); stop (finish now with "
        "what you have). Fast and free.",
        takes=CheckBudget,
        gives=Checked,
        run=_check,
        says=lambda found: f"advice: {found.advice}. {found.reason}.",
    ),
    Tool(
        name="reserve_budget",
        title="Reserve a part of a budget",
        description="Hold dollars, tokens or calls of a shared budget before spending them, so "
        "that nobody else does. `refused` means that there is not so much left. Tell what was "
        "spent with report_usage.",
        takes=ReserveBudget,
        gives=Reservation,
        run=_reserve,
        says=lambda done: f"{done.state}.",
        scope=Scope.BUDGETS,
        idempotent=False,
    ),
    Tool(
        name="report_usage",
        title="Report what was spent",
        description="Report what was spent under a reservation, in total so far; with final, what "
        "is left of it is free again.",
        takes=ReportUsage,
        gives=Reservation,
        run=_report,
        says=lambda done: f"{done.state}.",
        scope=Scope.BUDGETS,
    ),
    Tool(
        name="set_budget",
        title="Set a budget",
        description="Set up a budget or change one: what was spent stays, and what is not given "
        "stays as it is.",
        takes=SetBudget,
        gives=BudgetSet,
        run=_set,
        says=lambda done: "Set.",
        scope=Scope.BUDGETS,
        destructive=True,
    ),
)
