"""Tools about money: what was used, and what it cost."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated, Final, Literal

from pydantic import Field, StringConstraints

from agentguard_mcp.backend import Call
from agentguard_mcp.shapes import FilterText, Timed, Usd
from agentguard_mcp.tool import Arguments, Result, Tool
from agentguard_mcp.untrusted import clipped
from agentguard_storage.filters import parse
from agentguard_storage.queries.costs import CostRow, MonthCost, costs_by, monthly
from agentguard_storage.queries.savings import savings
from agentguard_storage.queries.usage import Usage, usage_of_month

__all__ = ["TOOLS"]

_NAME: Final = 200

By = Literal[
    "model", "provider", "agent", "service", "environment", "user", "session", "tool", "kind"
]
TimeZone = Annotated[
    str,
    StringConstraints(max_length=64),
    Field(description="Whose days and months, such as Europe/Berlin."),
]


def _by_model() -> list[By]:
    return ["model"]


class GetUsage(Arguments):
    """What get_usage takes."""

    timezone: TimeZone = "UTC"
    by_day: Annotated[bool, Field(description="Whether to tell each day apart.")] = True


class Day(Result):
    """One day."""

    day: date
    spans: int
    errors: int
    llm_calls: int
    tokens: int
    cost_usd: Usd | None = None


class UsageFound(Result):
    """What get_usage gives: this calendar month."""

    month: str
    plan: str
    spans: int
    span_limit: int | None = None
    errors: int
    llm_calls: int
    unpriced_calls: int
    tokens: int
    cost_usd: Usd | None = None
    retention_days: int | None = None
    days: list[Day] | None = None


class GetCosts(Timed):
    """What get_costs takes."""

    last: Annotated[
        str,
        StringConstraints(pattern=r"^[1-9][0-9]{0,4}[mhdw]$"),
        Field(description="How far back, such as 24h, 7d, 4w; without meaning beside start."),
    ] = "30d"
    by: Annotated[
        list[By], Field(min_length=1, max_length=3, description="What to break it down by.")
    ] = Field(default_factory=_by_model)
    filter: FilterText = ""
    limit: Annotated[int, Field(ge=1, le=100, description="How many groups at most.")] = 20
    months: Annotated[
        int, Field(ge=0, le=13, description="How many calendar months to tell of as well.")
    ] = 0


class CostWords(Result):
    """The names of a group."""

    group: list[str]


class Cost(Result):
    """One group; the one without names is of all others together."""

    cost_usd: Usd | None = None
    """Left out where no price is known."""
    share: float | None = None
    calls: int
    unpriced_calls: int
    tokens: int
    untrusted: CostWords | None = None


class Month(Result):
    """One calendar month; the last is not over yet."""

    month: str
    cost_usd: Usd | None = None
    calls: int
    unpriced_calls: int
    tokens: int


class SavedEstimate(Result):
    """What stops saved in this time: an estimate."""

    estimate_usd: Usd | None = None
    method: str
    stops: int
    stops_without_estimate: int


class Costs(Result):
    """What get_costs gives."""

    total_usd: Usd
    unpriced_calls: int
    by: list[str]
    groups: list[Cost]
    months: list[Month] | None = None
    saved_by_stops: SavedEstimate | None = None


async def _usage(call: Call, given: GetUsage) -> UsageFound:
    found = await call.ask(
        usage_of_month,
        now=datetime.now(UTC),
        timezone=given.timezone,
        retention_days=call.principal.retention_days,
    )
    return _month_so_far(found, given.by_day)


def _month_so_far(found: Usage, by_day: bool) -> UsageFound:
    days = [
        Day(
            day=each.day,
            spans=each.event_count,
            errors=each.error_count,
            llm_calls=each.model_calls,
            tokens=each.tokens,
            cost_usd=each.cost,
        )
        for each in found.by_day
        if each.event_count
    ]
    return UsageFound(
        month=found.current_month,
        plan=found.plan,
        spans=found.event_count,
        span_limit=found.event_limit,
        errors=found.error_count,
        llm_calls=found.model_calls,
        unpriced_calls=found.unpriced_calls,
        tokens=found.tokens,
        cost_usd=found.cost,
        retention_days=found.retention_days,
        days=days if by_day else None,
    )


async def _costs(call: Call, given: GetCosts) -> Costs:
    time_range = given.range()
    by = list(dict.fromkeys(given.by))
    chosen = parse(given.filter) if given.filter.strip() else None
    rows = await call.ask(costs_by, time_range, by, filter=chosen, limit=given.limit)
    months = None
    if given.months:
        months = await call.ask(monthly, now=datetime.now(UTC), months=given.months)
    estimate = None if chosen else await call.ask(savings, time_range)
    total = sum((row.cost for row in rows if row.cost), Decimal())
    return Costs(
        total_usd=total,
        unpriced_calls=sum(row.unpriced_calls for row in rows),
        by=[str(each) for each in by],
        groups=[_cost(row, total) for row in rows],
        months=[_month(each) for each in months] if months else None,
        saved_by_stops=None
        if estimate is None
        else SavedEstimate(
            estimate_usd=estimate.amount,
            method=estimate.method,
            stops=estimate.known + estimate.unknown,
            stops_without_estimate=estimate.unknown,
        ),
    )


def _cost(row: CostRow, total: Decimal) -> Cost:
    return Cost(
        cost_usd=row.cost,
        share=round(float(row.cost / total), 4) if row.cost and total else None,
        calls=row.calls,
        unpriced_calls=row.unpriced_calls,
        tokens=row.tokens,
        untrusted=None
        if row.group is None
        else CostWords(group=[clipped(name, _NAME) for name in row.group]),
    )


def _month(found: MonthCost) -> Month:
    return Month(
        month=found.month,
        cost_usd=found.cost,
        calls=found.calls,
        unpriced_calls=found.unpriced_calls,
        tokens=found.tokens,
    )


def _unpriced(calls: int) -> str:
    return f"; {calls} calls have no known price and are not in it" if calls else ""


def _used(found: UsageFound) -> str:
    return (
        f"{found.month}: {found.spans:,} spans, {found.llm_calls:,} model calls, "
        f"{found.tokens:,} tokens, ${found.cost_usd or 0:.4f}{_unpriced(found.unpriced_calls)}."
    )


TOOLS: Final = (
    Tool(
        name="get_usage",
        title="This month's usage",
        description="What was sent and used in this calendar month: spans, model calls, tokens, "
        "errors and cost, by day.",
        takes=GetUsage,
        gives=UsageFound,
        run=_usage,
        says=_used,
    ),
    Tool(
        name="get_costs",
        title="What it cost",
        description="What was spent in a time, broken down by model, agent, service, user or "
        "others; months as well, and an estimate of what stops have saved.",
        takes=GetCosts,
        gives=Costs,
        run=_costs,
        says=lambda found: f"${found.total_usd:.4f} in all{_unpriced(found.unpriced_calls)}.",
    ),
)
