"""Why a run was stopped, how two differ, what went wrong."""

from __future__ import annotations

from datetime import datetime

from agentguard.client.models.base import Model
from agentguard.client.models.spans import Messages

__all__ = [
    "Alert",
    "Alerts",
    "BeforeStop",
    "Changed",
    "Difference",
    "LastCall",
    "Step",
    "StepFigures",
    "StopExplanation",
    "StopSaved",
    "TextChange",
    "TraceFigures",
    "Verdict",
]


class Verdict(Model):
    """What a guard said."""

    guard: str
    action: str
    reason: str
    limit: float | None
    used: float | None
    unit: str
    call: str
    run_id: str
    run_name: str
    at: datetime
    span_id: str


class BeforeStop(Model):
    """What the run had done until then."""

    duration_ms: float
    model_calls: int
    tool_calls: int
    errors: int
    tokens: int
    cost: float | None
    unpriced_calls: int


class LastCall(Model):
    """A call before the stop."""

    span_id: str
    kind: str
    name: str
    agent: str
    started_at: datetime
    duration_ms: float
    status: str
    status_message: str
    cost: float | None
    same: int
    messages: Messages


class StopSaved(Model):
    """An estimate, made as `method` says; null where there is nothing to make it of."""

    estimated_savings: float | None
    method: str
    cost_per_hour: float | None
    rate_calls: int
    calls: int
    unpriced_calls: int
    cost: float | None
    seconds: float


class StopExplanation(Model):
    """Why a run was stopped; where none was, what the gravest of its guards' verdicts said."""

    trace_id: str
    root_name: str
    service: str
    stopped: bool
    verdict: Verdict
    outcome: str
    before: BeforeStop
    last_calls: list[LastCall]
    refused_after: int
    answered_after: int
    verdicts: list[Verdict]
    saved: StopSaved | None


class TraceFigures(Model):
    """What a trace took in all."""

    trace_id: str
    root_name: str
    duration_ms: float
    event_count: int
    llm_calls: int
    tool_calls: int
    error_count: int
    tokens: int
    total_cost: float | None
    stop_reason: str


class StepFigures(Model):
    """One side of a step that both traces have."""

    span_id: str
    status: str
    status_message: str
    model: str
    duration_ms: float
    tokens: int
    cost: float | None


class Step(Model):
    """A span that one of the traces alone has."""

    path: str
    span_id: str
    kind: str
    name: str
    status: str
    duration_ms: float
    tokens: int
    cost: float | None


class TextChange(Model):
    """How a text differs, as the hunks of a unified diff."""

    diff: str
    is_cut: bool


class Changed(Model):
    """A step that both traces have, but not alike."""

    path: str
    kind: str
    name: str
    changes: list[str]
    first: StepFigures
    second: StepFigures
    input: TextChange | None
    output: TextChange | None


class Difference(Model):
    """How the second of two traces differs from the first."""

    first: TraceFigures
    second: TraceFigures
    equal_count: int
    changed_count: int
    added_count: int
    removed_count: int
    changed: list[Changed]
    added: list[Step]
    removed: list[Step]
    divergence: str | None
    summary: str


class Alert(Model):
    """An alert, at its latest occurrence; what is equal to it is counted."""

    alert_id: str
    kind: str
    severity: str
    title: str
    reason: str
    at: datetime
    first_at: datetime
    count: int
    trace_count: int
    trace_id: str
    span_id: str
    service: str
    agent: str
    guard: str
    call: str


class Alerts(Model):
    """A page of alerts."""

    alerts: list[Alert]
    next_cursor: str | None
