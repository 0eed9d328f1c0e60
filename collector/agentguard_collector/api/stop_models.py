"""The shape of an explained stop."""

from __future__ import annotations

from pydantic import Field

from agentguard_collector.api.shapes import Moment, MsOfNs, Shape, Usd
from agentguard_collector.api.span_models import MessagesOut
from agentguard_storage.queries.span_rows import SpanKind

__all__ = ["SavedOut", "StopExplained"]


class VerdictOut(Shape):
    """What a guard said."""

    guard: str
    action: str = Field(description="`stop`, `deny`, `error`, `warn` or `observe`.")
    reason: str
    limit: float | None
    used: float | None
    unit: str
    call: str
    run_id: str
    run_name: str
    at: Moment
    span_id: str


class BeforeOut(Shape):
    """What the run had done until then."""

    duration_ms: MsOfNs = Field(validation_alias="duration_ns")
    model_calls: int
    tool_calls: int
    errors: int
    tokens: int
    cost: Usd
    unpriced_calls: int


class LastCallOut(Shape):
    """A call before the stop."""

    span_id: str
    kind: SpanKind
    name: str
    agent: str
    started_at: Moment
    duration_ms: MsOfNs = Field(validation_alias="duration_ns")
    status: str
    status_message: str
    cost: Usd
    same: int = Field(description="Calls with the same input until then, and itself.")
    messages: MessagesOut


class SavedOut(Shape):
    """An estimate, made as `method` says; null where there is nothing to make it of."""

    estimated_savings: Usd = Field(validation_alias="amount")
    method: str
    cost_per_hour: Usd
    rate_calls: int = Field(description="The calls that the rate is of.")
    calls: int
    unpriced_calls: int
    cost: Usd
    seconds: float


class StopExplained(Shape):
    """Why a run was stopped; where none was, what the gravest of its guards' verdicts said."""

    trace_id: str
    root_name: str
    service: str
    stopped: bool
    verdict: VerdictOut
    outcome: str
    before: BeforeOut
    last_calls: list[LastCallOut]
    refused_after: int
    answered_after: int
    verdicts: list[VerdictOut]
    saved: SavedOut | None
