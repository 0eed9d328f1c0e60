"""One comparable form of a span, whichever way it was sent or stored.

Order of spans and of attributes does not matter; order of events, links and array elements does.
Values keep their type: 1, 1.0, True and "1" are four values, an absent value is a fifth.
"""

import base64
import gzip
import json
from collections.abc import Iterable
from typing import Any

from google.protobuf import json_format
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, InstrumentationScope, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

_IDS = ("traceId", "spanId", "parentSpanId")


def canonical_spans(resource_spans: Iterable[ResourceSpans]) -> dict[tuple[str, str], dict]:
    """Canonical forms by (trace id, span id) in hex; AssertionError when a span is there twice."""
    spans: dict[tuple[str, str], dict] = {}
    for of_resource in resource_spans:
        for of_scope in of_resource.scope_spans:
            for span in of_scope.spans:
                key = (span.trace_id.hex(), span.span_id.hex())
                assert key not in spans, f"span {key} is there twice"
                spans[key] = _span(of_resource, of_scope, span)
    return spans


def differences(sent: dict, got: dict, limit: int = 5) -> list[str]:
    """The first few differences in words, empty when both hold the same spans."""
    missing = [f"{key}: sent, not found" for key in sent.keys() - got.keys()]
    extra = [f"{key}: found, never sent" for key in got.keys() - sent.keys()]
    changed = [
        f"{key} {field}: sent {sent[key][field]!r}, found {got[key][field]!r}"
        for key in sent.keys() & got.keys()
        for field in sent[key]
        if sent[key][field] != got[key][field]
    ]
    return (missing + extra + changed)[:limit]


def decode_request(body: bytes, content_type: str, encoding: str = "") -> list[ResourceSpans]:
    """The resource spans of an OTLP request body, protobuf or JSON."""
    if encoding == "gzip":
        body = gzip.decompress(body)
    if content_type.startswith("application/json"):
        return decode_json(json.loads(body))
    return list(ExportTraceServiceRequest.FromString(body).resource_spans)


def decode_json(request: Any) -> list[ResourceSpans]:
    """The resource spans of an OTLP/JSON request, whose ids are hex where protobuf JSON has base64.

    https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
    """
    message = ExportTraceServiceRequest()
    # A receiver must ignore what it does not know: OTel JS puts a schemaUrl inside the resource.
    json_format.ParseDict(_rebased(request), message, ignore_unknown_fields=True)
    return list(message.resource_spans)


def _rebased(node: Any) -> Any:
    if isinstance(node, list):
        return [_rebased(item) for item in node]
    if not isinstance(node, dict):
        return node
    return {
        name: base64.b64encode(bytes.fromhex(value)).decode() if name in _IDS else _rebased(value)
        for name, value in node.items()
    }


def _span(of_resource: ResourceSpans, of_scope: ScopeSpans, span: Span) -> dict:
    return {
        "resource": _resource(of_resource.resource),
        "resource_schema_url": of_resource.schema_url,
        "scope": _scope(of_scope.scope),
        "scope_schema_url": of_scope.schema_url,
        "trace_state": span.trace_state,
        "parent_span_id": span.parent_span_id.hex(),
        "flags": span.flags,
        "name": span.name,
        "kind": span.kind,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "attributes": _attributes(span.attributes),
        "dropped_attributes": span.dropped_attributes_count,
        "events": [_event(e) for e in span.events],
        "dropped_events": span.dropped_events_count,
        "links": [_link(link) for link in span.links],
        "dropped_links": span.dropped_links_count,
        "status": (span.status.code, span.status.message),
    }


def _resource(resource: Resource) -> tuple:
    return _attributes(resource.attributes), resource.dropped_attributes_count


def _scope(scope: InstrumentationScope) -> tuple:
    attributes = _attributes(scope.attributes)
    return scope.name, scope.version, attributes, scope.dropped_attributes_count


def _event(event: Span.Event) -> tuple:
    attributes = _attributes(event.attributes)
    return event.name, event.time_unix_nano, attributes, event.dropped_attributes_count


def _link(link: Span.Link) -> tuple:
    return (
        link.trace_id.hex(),
        link.span_id.hex(),
        link.trace_state,
        link.flags,
        _attributes(link.attributes),
        link.dropped_attributes_count,
    )


def _attributes(attributes: Iterable[KeyValue]) -> list[tuple]:
    return sorted((a.key, _value(a.value)) for a in attributes)


def _value(value: AnyValue) -> tuple:
    kind = value.WhichOneof("value")
    match kind:
        case None:
            return ("absent",)
        case "double_value":
            # The hex form tells -0.0 from 0.0 and makes NaN equal to itself.
            return (kind, value.double_value.hex())
        case "array_value":
            return (kind, *(_value(v) for v in value.array_value.values))
        case "kvlist_value":
            return (kind, *_attributes(value.kvlist_value.values))
        case _:
            return (kind, getattr(value, kind))
