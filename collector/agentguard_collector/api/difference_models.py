"""The shape of a comparison of two traces."""

from __future__ import annotations

from pydantic import Field

from agentguard_collector.api.shapes import MsOfNs, Shape, Usd

__all__ = ["DifferenceOut"]


class FiguresOut(Shape):
    """What a trace took in all."""

    trace_id: str
    root_name: str
    duration_ms: MsOfNs = Field(validation_alias="duration_ns")
    event_count: int = Field(validation_alias="span_count")
    llm_calls: int
    tool_calls: int
    error_count: int
    tokens: int
    total_cost: Usd = Field(validation_alias="cost")
    stop_reason: str


class StepOut(Shape):
    """A span that one of the traces alone has."""

    path: str
    span_id: str
    kind: str
    name: str
    status: str
    duration_ms: MsOfNs = Field(validation_alias="duration_ns")
    tokens: int
    cost: Usd


class StepFigures(Shape):
    """One side of a step that both traces have."""

    span_id: str
    status: str
    status_message: str
    model: str
    duration_ms: MsOfNs = Field(validation_alias="duration_ns")
    tokens: int
    cost: Usd


class TextChangeOut(Shape):
    """How a text differs, as the hunks of a unified diff."""

    diff: str
    is_cut: bool


class ChangedOut(Shape):
    """A step that both traces have, but not alike."""

    path: str
    kind: str
    name: str
    changes: list[str]
    first: StepFigures
    second: StepFigures
    input: TextChangeOut | None
    output: TextChangeOut | None


class DifferenceOut(Shape):
    """How the second of two traces differs from the first."""

    first: FiguresOut
    second: FiguresOut
    equal_count: int
    changed_count: int
    added_count: int
    removed_count: int
    changed: list[ChangedOut]
    added: list[StepOut]
    removed: list[StepOut]
    divergence: str | None = Field(description="The path of the first step that differs.")
    summary: str
