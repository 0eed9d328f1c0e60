"""The shapes of costs. Members that agentguard47's service had too mean the same."""

from __future__ import annotations

from pydantic import Field

from agentguard_collector.api.shapes import Exact, Moment, Shape, Tokens, Usd, exact, usd
from agentguard_storage.queries.costs import CostRow, MonthCost
from agentguard_storage.queries.savings import Savings, StopSaving

__all__ = ["CostsOut", "ModelOut", "MonthOut", "SavingsOut"]


class MonthOut(Shape):
    """A calendar month."""

    month: str = Field(examples=["2026-01"])
    starts_at: Moment
    ends_at: Moment
    total_cost: Usd
    total_cost_exact: Exact
    call_count: int = Field(description="Calls to models.")
    unpriced_calls: int
    tokens: int
    trace_count: int | None = Field(description="Null where it was not counted.")

    @classmethod
    def of(cls, month: MonthCost, *, trace_count: int | None) -> MonthOut:
        """From what the store says."""
        return cls(
            month=month.month,
            starts_at=month.starts_at,
            ends_at=month.ends_at,
            total_cost=usd(month.cost),
            total_cost_exact=exact(month.cost),
            call_count=month.calls,
            unpriced_calls=month.unpriced_calls,
            tokens=month.tokens,
            trace_count=trace_count,
        )


class ModelOut(Shape):
    """What one model cost this month."""

    model: str | None = Field(description="Null for all those together that are not listed.")
    provider: str | None
    total_cost: Usd
    total_cost_exact: Exact
    call_count: int
    unpriced_calls: int
    tokens: Tokens

    @classmethod
    def of(cls, row: CostRow) -> ModelOut:
        """From what the store says: groups are (provider, model)."""
        provider, model = row.group or (None, None)
        return cls(
            model=model,
            provider=provider,
            total_cost=usd(row.cost),
            total_cost_exact=exact(row.cost),
            call_count=row.calls,
            unpriced_calls=row.unpriced_calls,
            tokens=Tokens.of(row),
        )


class StopSavingOut(Shape):
    """One stop, and an estimate of what it saved."""

    trace_id: str
    stopped_at: Moment
    service: str
    guard: str
    reason: str
    estimated_savings: Usd = Field(description="Null where it cannot be estimated.")
    cost_per_hour: Usd = Field(description="What it was spending when it was stopped.")
    cost_before: Usd = Field(description="What its calls had cost until then.")

    @classmethod
    def of(cls, stop: StopSaving) -> StopSavingOut:
        """From what the store says."""
        return cls(
            trace_id=stop.trace_id,
            stopped_at=stop.stopped_at,
            service=stop.service,
            guard=stop.guard,
            reason=stop.reason,
            estimated_savings=usd(stop.saved.amount),
            cost_per_hour=usd(stop.saved.cost_per_hour),
            cost_before=usd(stop.saved.cost),
        )


class SavingsOut(Shape):
    """What stops saved this month: an estimate, made as `method` says."""

    guard_events: int = Field(description="Traces that a guard stopped.")
    estimated_savings: Usd = Field(description="US dollars; null where nothing can be estimated.")
    estimated_savings_exact: Exact
    method: str
    without_estimate: int = Field(description="Stops of which nothing can be said.")
    complete: bool = Field(description="These are all stops of the month.")
    stops: list[StopSavingOut] = Field(description="The latest first.")

    @classmethod
    def of(cls, found: Savings) -> SavingsOut:
        """From what the store says."""
        return cls(
            guard_events=found.known + found.unknown,
            estimated_savings=usd(found.amount),
            estimated_savings_exact=exact(found.amount),
            method=found.method,
            without_estimate=found.unknown,
            complete=found.complete,
            stops=[StopSavingOut.of(stop) for stop in found.stops],
        )


class CostsOut(Shape):
    """Costs of the current month, and of those before it."""

    monthly: MonthOut
    by_month: list[MonthOut]
    by_model: list[ModelOut]
    savings: SavingsOut
