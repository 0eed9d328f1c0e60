"""Traces: /api/v1/traces."""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Query
from starlette.responses import Response

from agentguard_collector.api.asking import Asking
from agentguard_collector.api.difference_models import DifferenceOut
from agentguard_collector.api.etags import NOT_MODIFIED
from agentguard_collector.api.graph_models import GraphOut
from agentguard_collector.api.parameters import (
    Cursor,
    Limit,
    OtherTrace,
    SpanId,
    TraceId,
    When,
    Where,
)
from agentguard_collector.api.routing import MISSING, api_router
from agentguard_collector.api.span_models import SpanAndMessages
from agentguard_collector.api.stop_models import StopExplained
from agentguard_collector.api.trace_models import TraceDetail, TracesOut
from agentguard_collector.errors import NotFound
from agentguard_storage.queries import stops, trace, traces
from agentguard_storage.queries.difference import compare
from agentguard_storage.queries.graph import NODE_KINDS, NodeKind, agent_graph
from agentguard_storage.queries.messages import messages_of
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.traces import TraceOrder

__all__ = ["router"]

T = TypeVar("T")

NodeKinds = Annotated[
    list[NodeKind] | None,
    Query(alias="kind", max_length=10, description="Of these kinds alone; give it several times."),
]


def router() -> APIRouter:
    """Lists of traces, and single ones."""
    made = api_router("traces")

    @made.get("", response_model=TracesOut, responses=NOT_MODIFIED)
    async def list_traces(
        asking: Asking,
        when: When,
        where: Where,
        order: Annotated[
            TraceOrder, Query(description="The newest first, or those with the most.")
        ] = "started_at",
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """Traces that began within the range, and have a span that the filter means."""
        return await asking.cached(
            lambda reader: TracesOut.of(
                traces.list_traces(
                    reader, when, filter=where, order=order, limit=limit, cursor=cursor
                )
            )
        )

    @made.get("/{trace_id}", response_model=TraceDetail, responses=NOT_MODIFIED | MISSING)
    async def get_trace(
        asking: Asking,
        trace_id: TraceId,
        contents: Annotated[
            bool, Query(description="With attributes, events, links and resources.")
        ] = True,
    ) -> Response:
        """A trace with its spans."""
        return await asking.cached(
            lambda reader: TraceDetail.of_spans(
                found(trace.get_trace(reader, trace_id, contents=contents))
            )
        )

    @made.get(
        "/{trace_id}/spans/{span_id}",
        response_model=SpanAndMessages,
        responses=NOT_MODIFIED | MISSING,
    )
    async def get_span(asking: Asking, trace_id: TraceId, span_id: SpanId) -> Response:
        """A span with all that it carried, and what was said in it."""

        def read(reader: Reader) -> dict[str, Any]:
            row = found(trace.get_span(reader, trace_id, span_id))
            return SpanAndMessages.with_messages(row, messages_of(row))

        return await asking.cached(read)

    @made.get("/{trace_id}/graph", response_model=GraphOut, responses=NOT_MODIFIED | MISSING)
    async def get_trace_graph(
        asking: Asking, trace_id: TraceId, kinds: NodeKinds = None
    ) -> Response:
        """Who called whom in a trace: agents, workflows, tools, retrievals and models."""
        return await asking.cached(
            lambda reader: GraphOut.of(
                found(agent_graph(reader, trace_id, kinds=kinds or NODE_KINDS))
            )
        )

    @made.get("/{trace_id}/stop", response_model=StopExplained, responses=NOT_MODIFIED | MISSING)
    async def explain_stop(asking: Asking, trace_id: TraceId) -> Response:
        """Why a guard stopped a trace, what it had done until then, and what that saved."""
        return await asking.cached(
            lambda reader: StopExplained.model_validate(
                found(stops.explain_stop(reader, trace_id), "no guard had anything to say of it")
            )
        )

    @made.get(
        "/{trace_id}/compare/{other}",
        response_model=DifferenceOut,
        responses=NOT_MODIFIED | MISSING,
    )
    async def compare_traces(asking: Asking, trace_id: TraceId, other: OtherTrace) -> Response:
        """How another trace differs from this one, step by step."""
        return await asking.cached(
            lambda reader: DifferenceOut.model_validate(found(compare(reader, trace_id, other)))
        )

    return made


def found(row: T | None, otherwise: str = "") -> T:
    """The row. Raises NotFound where there is none: in another project is none as well."""
    if row is None:
        also = f", or {otherwise}" if otherwise else ""
        raise NotFound(f"there is no such trace or span in this project{also}")
    return row
