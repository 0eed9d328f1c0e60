"""Lines as agentguard47 writes them, and what they become."""

from __future__ import annotations

import json
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agentguard_collector.agentguard47 import Converted, convert
from agentguard_collector.agentguard47_costs import CostLedger
from tests.collector.otlp_samples import spans_in

TRACE, OWNER, PARENT = "5b8efff798038103d269b633813fc60c", "a" * 32, "b" * 32
_LINE = {
    "service": "app",
    "trace_id": TRACE,
    "span_id": OWNER,
    "ts": 1_790_000_000.25,
    "duration_ms": None,
    "data": {},
    "error": None,
}


def span_line(name: str = "agent.run", phase: str = "end", **fields: Any) -> dict[str, Any]:
    """A line of a span; it took a second if it is an end line."""
    took = 1000.0 if phase == "end" else None
    own = {"kind": "span", "type": "span", "phase": phase, "name": name, "parent_id": None}
    return {**_LINE, **own, "duration_ms": took, **fields}


def event_line(name: str = "llm.result", **fields: Any) -> dict[str, Any]:
    """A line of an event inside that span."""
    own = {"kind": "event", "type": "event", "phase": "emit", "name": name, "parent_id": PARENT}
    return {**_LINE, **own, **fields}


def body_of(*lines: Any) -> bytes:
    """NDJSON; lines that are bytes already stay as they are."""
    return b"\n".join(x if isinstance(x, bytes) else json.dumps(x).encode() for x in lines)


def converted(*lines: Any, ledger: CostLedger | None = None) -> Converted:
    """Convert lines of one request."""
    return convert(body_of(*lines), "project", ledger or CostLedger())


def spans_of(*lines: Any, ledger: CostLedger | None = None) -> list[Span]:
    """The spans of lines that must all be accepted."""
    found = converted(*lines, ledger=ledger)
    assert found.errors == []
    return spans_in(found.request)


def attributes(spans: Any) -> dict[str, Any]:
    """The attributes of a span or a resource."""
    return {
        each.key: getattr(each.value, str(each.value.WhichOneof("value")))
        for each in spans.attributes
    }


def said(line: dict[str, Any]) -> dict[str, Any]:
    """The attributes of the one span that a line makes."""
    [span] = spans_of(line)
    return attributes(span)


def costs(request: ExportTraceServiceRequest) -> list[float]:
    """Every cost that is stated, in the order of the spans."""
    found = (attributes(span).get("agentguard.cost.usd") for span in spans_in(request))
    return [cost for cost in found if cost is not None]
