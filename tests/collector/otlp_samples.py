"""Builds OTLP requests for the collector's tests."""

from __future__ import annotations

import itertools
import os
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

_numbers = itertools.count(1)
_CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
}


def make_span(**fields: object) -> Span:
    """Return a valid span with ids of its own; `fields` replace what it is made of."""
    now = time.time_ns()
    values = {
        "trace_id": os.urandom(16),
        "span_id": os.urandom(8),
        "name": f"span {next(_numbers)}",
        "kind": Span.SPAN_KIND_CLIENT,
        "start_time_unix_nano": now - 1000,
        "end_time_unix_nano": now,
        **fields,
    }
    span = Span(**values)
    for key, text in _CALL.items():
        span.attributes.add(key=key).value.string_value = text
    span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = next(_numbers)
    span.attributes.add(key="gen_ai.usage.output_tokens").value.int_value = 300
    return span


def make_request(*spans: Span) -> ExportTraceServiceRequest:
    """Return a request with these spans, or with one new one."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = "tests"
    scope = resource.scope_spans.add()
    scope.scope.name = "tests.collector"
    scope.spans.extend(spans or (make_span(),))
    return request


def spans_in(request: ExportTraceServiceRequest) -> list[Span]:
    """Return a request's spans, flattened."""
    return [
        span
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def identity(span: Span) -> str:
    """Return what makes a span one of a kind."""
    return (span.trace_id + span.span_id).hex()
