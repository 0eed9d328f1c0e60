"""The shape of a graph of agents."""

from __future__ import annotations

from typing import Any

from pydantic import Field

from agentguard_collector.api.shapes import Exact, Ms, Shape, Usd, exact, milliseconds, usd
from agentguard_storage.queries.graph import AgentGraph, GraphEdge, GraphNode, NodeKind

__all__ = ["GraphOut"]


class _Sums(Shape):
    calls: int
    errors: int
    tokens: int
    cost: Usd
    cost_exact: Exact
    unpriced_calls: int
    duration_ms: Ms

    @staticmethod
    def sums(row: GraphNode | GraphEdge) -> dict[str, Any]:
        """The members that nodes and edges have."""
        return {
            "calls": row.calls,
            "errors": row.errors,
            "tokens": row.tokens,
            "cost": usd(row.cost),
            "cost_exact": exact(row.cost),
            "unpriced_calls": row.unpriced_calls,
            "duration_ms": milliseconds(row.duration_ns),
        }


class NodeOut(_Sums):
    """An agent, workflow, tool, retrieval or model, and its calls."""

    id: str
    kind: NodeKind
    name: str


class EdgeOut(_Sums):
    """Calls from one node to another, by their ids."""

    caller: str
    callee: str


class GraphOut(Shape):
    """Who called whom."""

    nodes: list[NodeOut]
    edges: list[EdgeOut]
    traces: int
    spans: int
    complete: bool = Field(description="These are all of them.")

    @classmethod
    def of(cls, graph: AgentGraph) -> GraphOut:
        """From what the store says."""
        return cls(
            nodes=[
                NodeOut(id=node.id, kind=node.kind, name=node.name, **NodeOut.sums(node))
                for node in graph.nodes
            ],
            edges=[
                EdgeOut(caller=edge.caller, callee=edge.callee, **EdgeOut.sums(edge))
                for edge in graph.edges
            ],
            traces=graph.traces,
            spans=graph.spans,
            complete=graph.complete,
        )
