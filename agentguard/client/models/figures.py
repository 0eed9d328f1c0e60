"""Sessions, usage, costs and measures."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal

from agentguard.client.models.base import Model
from agentguard.client.models.shapes import Tokens

__all__ = [
    "Completion",
    "Completions",
    "CostMonth",
    "Costs",
    "Measured",
    "MeasuredRow",
    "ModelCost",
    "Savings",
    "Session",
    "Sessions",
    "StopSaving",
    "Usage",
    "UsageDay",
]


class Session(Model):
    """A session: sums over those of its traces that began within the range."""

    session: str
    users: list[str]
    agents: list[str]
    models: list[str]
    services: list[str]
    started_at: datetime
    last_at: datetime
    trace_count: int
    event_count: int
    error_count: int
    stopped_traces: int
    llm_calls: int
    tool_calls: int
    tokens: Tokens
    total_cost: float | None
    total_cost_exact: Decimal | None
    unpriced_calls: int


class Sessions(Model):
    """A page of sessions."""

    sessions: list[Session]
    next_cursor: str | None


class UsageDay(Model):
    """One day of the month."""

    day: date
    event_count: int
    error_count: int
    model_calls: int
    unpriced_calls: int
    tokens: int
    total_cost: float | None


class Usage(Model):
    """What a project sent in a calendar month; an event is a span."""

    plan: str
    current_month: str
    starts_at: datetime
    ends_at: datetime
    event_count: int
    event_limit: int | None
    retention_days: int | None
    max_keys: int | None
    max_users: int | None
    error_count: int
    model_calls: int
    unpriced_calls: int
    tokens: int
    total_cost: float | None
    total_cost_exact: Decimal | None
    first_at: datetime | None
    last_at: datetime | None
    by_day: list[UsageDay]


class CostMonth(Model):
    """A calendar month."""

    month: str
    starts_at: datetime
    ends_at: datetime
    total_cost: float | None
    total_cost_exact: Decimal | None
    call_count: int
    unpriced_calls: int
    tokens: int
    trace_count: int | None


class ModelCost(Model):
    """What one model cost this month."""

    model: str | None
    provider: str | None
    total_cost: float | None
    total_cost_exact: Decimal | None
    call_count: int
    unpriced_calls: int
    tokens: Tokens


class StopSaving(Model):
    """One stop, and an estimate of what it saved."""

    trace_id: str
    stopped_at: datetime
    service: str
    guard: str
    reason: str
    estimated_savings: float | None
    cost_per_hour: float | None
    cost_before: float | None


class Savings(Model):
    """What stops saved this month: an estimate, made as `method` says."""

    guard_events: int
    estimated_savings: float | None
    estimated_savings_exact: Decimal | None
    method: str
    without_estimate: int
    complete: bool
    stops: list[StopSaving]


class Costs(Model):
    """Costs of the current month, and of those before it."""

    monthly: CostMonth
    by_month: list[CostMonth]
    by_model: list[ModelCost]
    savings: Savings


class MeasuredRow(Model):
    """The figures of one group in one interval."""

    at: datetime | None
    group: dict[str, str] | None
    values: dict[str, int | float | None]


class Measured(Model):
    """Rows by group, the one with most of the first measure first, and within it by time."""

    measures: list[str]
    by: list[str]
    rows: list[MeasuredRow]


class Completion(Model):
    """What to write instead of the characters from `start` to `end`, counted from 0."""

    text: str
    kind: str
    detail: str
    start: int
    end: int


class Completions(Model):
    """What may come next, the likeliest first; at most 20."""

    completions: list[Completion]
