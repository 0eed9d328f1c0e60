"""The shapes of traces in lists. Members that agentguard47's service had too mean the same."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from agentguard_collector.api.shapes import (
    Exact,
    Moment,
    Ms,
    Shape,
    Tokens,
    Usd,
    exact,
    milliseconds,
    moment_text,
    usd,
)
from agentguard_collector.api.span_models import SpanDetail
from agentguard_storage.queries.pages import Page
from agentguard_storage.queries.trace import Trace
from agentguard_storage.queries.traces import TraceRow

__all__ = ["TraceDetail", "TraceOut", "TracesOut"]


class _TraceSums(Shape):
    trace_id: str = Field(examples=["4bf92f3577b34da6a3ce929d0e0e4736"])
    root_name: str = Field(description="The earliest span's, until the root span has come.")
    service: str
    services: list[str]
    environment: str
    session: str
    user: str
    started_at: Moment
    duration_ms: Ms
    event_count: int = Field(description="Its spans.")
    error_count: int = Field(description="Those that failed.")
    llm_calls: int
    tool_calls: int
    tokens: Tokens
    total_cost: Usd
    total_cost_exact: Exact
    unpriced_calls: int = Field(description="Model calls of which no price is known.")
    models: list[str]
    agents: list[str]
    stop_reason: str = Field(description="Why a guard stopped it; empty where none did.")

    @staticmethod
    def members(row: TraceRow | Trace) -> dict[str, Any]:
        """The members that a trace has in lists and alone."""
        return {
            "trace_id": row.trace_id,
            "root_name": row.root_name,
            "service": row.service,
            "services": row.services,
            "environment": row.environment,
            "session": row.session,
            "user": row.user,
            "started_at": moment_text(row.started_at),
            "duration_ms": milliseconds(row.duration_ns),
            "event_count": row.span_count,
            "error_count": row.error_count,
            "llm_calls": row.llm_calls,
            "tool_calls": row.tool_calls,
            "tokens": Tokens.members(row),
            "total_cost": usd(row.cost),
            "total_cost_exact": exact(row.cost),
            "unpriced_calls": row.unpriced_calls,
            "models": row.models,
            "agents": row.agents,
            "stop_reason": row.stop_reason,
        }


class TraceOut(_TraceSums):
    """A trace: counts and sums over its spans."""

    guard: str = Field(description="The guard that stopped it; empty where none did.")

    @classmethod
    def of(cls, row: TraceRow) -> TraceOut:
        """From what the store says."""
        return cls(**cls.members(row), guard=row.guard)


class TraceDetail(_TraceSums):
    """A trace with its spans, in order of their start."""

    complete: bool = Field(
        description="There is a root, and every span's parent: no more is to come."
    )
    critical_path: list[str] = Field(description="The spans that its end waited for.")
    spans: list[SpanDetail]

    @classmethod
    def of_spans(cls, trace: Trace) -> dict[str, Any]:
        """From what the store says, as JSON has it: there may be many thousand spans."""
        return cls.members(trace) | {
            "complete": trace.complete,
            "critical_path": trace.critical_path,
            "spans": [SpanDetail.members(span) for span in trace.spans],
        }


class TracesOut(Shape):
    """A page of traces."""

    traces: list[TraceOut]
    next_cursor: str | None = Field(description="Where the next page begins; null on the last.")

    @classmethod
    def of(cls, page: Page[TraceRow]) -> TracesOut:
        """From what the store says."""
        return cls(traces=[TraceOut.of(row) for row in page.rows], next_cursor=page.next_cursor)
