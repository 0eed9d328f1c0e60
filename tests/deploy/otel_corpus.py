"""Spans in which everything occurs that the views over otel_traces translate."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.interop.span_factory import make_provider, make_spans
from tests.interop.usage_shapes import CASES
from tests.storage.telemetry.priced_calls import Call, calls
from tests.storage.telemetry.telemetry_store import make_span, request_of

_MESSAGES = '[{"role":"user","content":"' + "What would a child guess? " * 20 + '"}]'
# Each is a partition to be written and, mostly, a model to be priced.
_PRICED, _OTHER_DAYS = 250, 10

MEANINGS: dict[str, dict[str, Any]] = {
    "agent": {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"},
    "tool": {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.call.arguments": '{"query": "otters"}',
        "gen_ai.conversation.id": "chat 7",
        "user.id": "ada",
    },
    "retrieval": {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "papers"},
    "messages": {
        "gen_ai.operation.name": "chat",
        "gen_ai.system": "OpenAI",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.input.messages": _MESSAGES,
        "gen_ai.usage.prompt_tokens": 90,
        "gen_ai.usage.completion_tokens": 7,
    },
    "unknown model": {"gen_ai.operation.name": "chat", "gen_ai.request.model": "nobody-knows"},
    "unknown operation": {"gen_ai.operation.name": "ponder", "gen_ai.request.model": "gpt-4o"},
    "unnamed operation": {"gen_ai.request.model": "gpt-4o", "gen_ai.usage.input_tokens": 5},
    "stated cost": {"gen_ai.operation.name": "chat", "agentguard.cost.usd": 0.0125},
    "reported cost": {"openinference.span.kind": "LLM", "llm.cost.total": 1e-07},
    "cost of a tool": {"openinference.span.kind": "TOOL", "agentguard.cost.usd": 2.5},
    "guard": {
        "gen_ai.operation.name": "guard",
        "agentguard.guard.name": "loop",
        "agentguard.guard.action": "stop",
        "agentguard.stop.reason": "the same call three times",
    },
    "guarded run": {
        "gen_ai.operation.name": "invoke_workflow",
        "agentguard.guard.name": "loop",
        "agentguard.stop.reason": "the same call three times",
    },
    "guard alone": {"agentguard.guard.name": "budget"},
    "task": {"agentguard.task.name": "summarise"},
    "nothing": {},
    "openinference agent": {"openinference.span.kind": "AGENT", "session.id": "s 1"},
    "openinference chain": {"openinference.span.kind": "CHAIN", "graph.node.name": "plan"},
    "openinference tool": {"openinference.span.kind": "TOOL", "tool.parameters": "{}"},
    "openinference other": {"openinference.span.kind": "UNHEARD OF"},
    "openinference embedding": {
        "openinference.span.kind": "EMBEDDING",
        "embedding.model_name": "text-embedding-3-small",
        "llm.token_count.prompt": 1_000_000,
        "llm.provider": "openai",
    },
    "model in parameters": {
        "openinference.span.kind": "LLM",
        "llm.invocation_parameters": '{"model": "gpt-4o-mini"}',
    },
    "traceloop agent": {"traceloop.span.kind": "agent", "traceloop.entity.name": "crew"},
    "traceloop tool": {
        "traceloop.span.kind": "tool",
        "traceloop.entity.name": "fetch",
        "traceloop.association.properties.session_id": "s 2",
        "traceloop.association.properties.user_id": "bob",
    },
    "traceloop request": {"llm.request.type": "rerank", "llm.user": "eve"},
    "odd counts": {
        "gen_ai.operation.name": "chat",
        "gen_ai.usage.input_tokens": -5,
        "gen_ai.usage.output_tokens": "12",
        "gen_ai.usage.reasoning_tokens": 1e30,
    },
}


def requests() -> list[ExportTraceServiceRequest]:
    """The whole corpus, as export requests of moderate size."""
    return [_joined(_usage()), _joined(_meanings()), _prices(), _everything()]


def _joined(parts: Iterable[ExportTraceServiceRequest]) -> ExportTraceServiceRequest:
    made = ExportTraceServiceRequest()
    for part in parts:
        made.MergeFrom(part)
    return made


def _usage() -> Iterator[ExportTraceServiceRequest]:
    for case in CASES:
        span = make_span({**case.attributes, "gen_ai.request.model": "gpt-4o"}, name=case.id)
        yield request_of(span, scope=case.scope, service_name="usage")


def _meanings() -> Iterator[ExportTraceServiceRequest]:
    root = make_span(name="root", kind=Span.SPAN_KIND_SERVER, trace_state="vendor=1")
    error = Status(code=Status.STATUS_CODE_ERROR, message="no")
    inside = {"trace_id": root.trace_id, "parent_span_id": root.span_id, "status": error}
    made = [make_span(said, name=name, **inside) for name, said in MEANINGS.items()]
    environment = {"deployment_environment_name": "production"}
    yield request_of(root, *made, service_name="meanings", **environment)
    old = make_span(name="old environment", status=Status(code=Status.STATUS_CODE_OK))
    yield request_of(old, service_name="meanings", deployment_environment="staging")


def _prices() -> ExportTraceServiceRequest:
    now = time.time_ns()
    asked = [call for call in calls(seed=4) if call.at > 1_600_000_000 * 10**9]
    asked = asked[:: len(asked) // _PRICED]
    spans = [
        _priced(call, call.at if number < _OTHER_DAYS else now) for number, call in enumerate(asked)
    ]
    return request_of(*spans, service_name="prices")


def _priced(call: Call, at: int) -> Span:
    usage = call.usage
    said = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.model,
        "gen_ai.usage.input_tokens": usage.total_input,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        "gen_ai.usage.cache_write.input_tokens": usage.cache_write,
        "gen_ai.usage.output_tokens": usage.output + usage.reasoning,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
    }
    return make_span(said, start_time_unix_nano=at, end_time_unix_nano=at + 5)


def _everything() -> ExportTraceServiceRequest:
    exporter = InMemorySpanExporter()
    make_spans(make_provider("everything", [SimpleSpanProcessor(exporter)]), 150)
    return encode_spans(exporter.get_finished_spans())
