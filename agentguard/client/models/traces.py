"""Traces, and who called whom in them."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal

from agentguard.client.models.base import Model
from agentguard.client.models.shapes import Tokens
from agentguard.client.models.spans import SpanDetail

__all__ = [
    "Graph",
    "GraphEdge",
    "GraphNode",
    "Trace",
    "TraceDetail",
    "Traces",
]


class TraceSums(Model):
    """What is known of a trace whichever way it is asked for: counts and sums over its spans."""

    trace_id: str
    root_name: str
    service: str
    services: list[str]
    environment: str
    session: str
    user: str
    started_at: datetime
    duration_ms: float
    event_count: int
    error_count: int
    llm_calls: int
    tool_calls: int
    tokens: Tokens
    total_cost: float | None
    total_cost_exact: Decimal | None
    unpriced_calls: int
    models: list[str]
    agents: list[str]
    stop_reason: str


class Trace(TraceSums):
    """A trace in a list."""

    guard: str


class Traces(Model):
    """A page of traces."""

    traces: list[Trace]
    next_cursor: str | None


class TraceDetail(TraceSums):
    """A trace with its spans, in order of their start."""

    complete: bool
    critical_path: list[str]
    spans: list[SpanDetail]


class GraphNode(Model):
    """An agent, workflow, tool, retrieval or model, and its calls."""

    calls: int
    errors: int
    tokens: int
    cost: float | None
    cost_exact: Decimal | None
    unpriced_calls: int
    duration_ms: float
    id: str
    kind: str
    name: str


class GraphEdge(Model):
    """Calls from one node to another, by their ids."""

    calls: int
    errors: int
    tokens: int
    cost: float | None
    cost_exact: Decimal | None
    unpriced_calls: int
    duration_ms: float
    caller: str
    callee: str


class Graph(Model):
    """Who called whom."""

    nodes: list[GraphNode]
    edges: list[GraphEdge]
    traces: int
    spans: int
    complete: bool
