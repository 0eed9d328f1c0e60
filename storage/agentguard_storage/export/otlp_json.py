"""OTLP/JSON: what a collector takes, which makes an equal store of it.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding, and for lines
https://opentelemetry.io/docs/specs/otel/protocol/file-exporter/
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson
from opentelemetry.proto.common.v1.common_pb2 import EntityRef

from agentguard_storage.export.values import otlp_pairs, otlp_value
from agentguard_storage.queries.export import Record, Slice, Source

__all__ = ["REQUEST_BYTES", "REQUEST_SPANS", "otlp_document", "otlp_requests"]

REQUEST_BYTES: Final = 1 << 20
"""A line ends with the span that reaches this."""
REQUEST_SPANS: Final = 1_000
_SPAN_KINDS: Final = {
    "unspecified": 0,
    "internal": 1,
    "server": 2,
    "client": 3,
    "producer": 4,
    "consumer": 5,
}
_STATUS_CODES: Final = {"unset": 0, "ok": 1, "error": 2}


def otlp_document(found: Iterable[Slice]) -> Iterator[bytes]:
    """One `TracesData`, which is an `ExportTraceServiceRequest` too."""
    before = b'{"resourceSpans":[\n'
    for each in found:
        for parts in _requests(each):
            yield before + b",\n".join(parts)
            before = b",\n"
    if before != b",\n":
        yield before
    yield b"]}\n"


def otlp_requests(found: Iterable[Slice]) -> Iterator[bytes]:
    """Lines of one `ExportTraceServiceRequest` each, of about `REQUEST_BYTES` at most."""
    for each in found:
        for parts in _requests(each):
            yield b'{"resourceSpans":[' + b",".join(parts) + b"]}\n"


def _requests(found: Slice) -> Iterator[list[bytes]]:
    """Yield the `ResourceSpans` of one request after the other."""
    spans: dict[int, list[bytes]] = {}
    size = count = 0
    for record in found.records():
        made = orjson.dumps(_span(found, record))
        spans.setdefault(record.source_id, []).append(made)
        size += len(made)
        count += 1
        if size >= REQUEST_BYTES or count == REQUEST_SPANS:
            yield _resource_spans(found, spans)
            spans, size, count = {}, 0, 0
    if spans:
        yield _resource_spans(found, spans)


def _resource_spans(found: Slice, spans: dict[int, list[bytes]]) -> list[bytes]:
    made = []
    for source_id, parts in spans.items():
        head, tail = _around(found.source(source_id))
        made.append(head + b",".join(parts) + tail)
    return made


def _around(source: Source) -> tuple[bytes, bytes]:
    """What stands before and after the spans of a source."""
    resource: dict[str, Any] = {"attributes": _attributes(source.keys, source.types, source.texts)}
    if source.dropped_attributes_count:
        resource["droppedAttributesCount"] = source.dropped_attributes_count
    if source.entity_refs:
        resource["entityRefs"] = [_entity(each) for each in source.entity_refs]
    scope: dict[str, Any] = {}
    if source.scope_name:
        scope["name"] = source.scope_name
    if source.scope_version:
        scope["version"] = source.scope_version
    if source.scope_attributes:
        scope["attributes"] = otlp_pairs(source.scope_attributes)
    if source.scope_dropped_attributes_count:
        scope["droppedAttributesCount"] = source.scope_dropped_attributes_count
    head = b'{"resource":%b,"scopeSpans":[{"scope":%b,"spans":[' % (
        orjson.dumps(resource),
        orjson.dumps(scope),
    )
    tail = b"]%b}]%b}" % (_schema(source.scope_schema_url), _schema(source.schema_url))
    return head, tail


def _schema(url: str) -> bytes:
    return b',"schemaUrl":' + orjson.dumps(url) if url else b""


def _entity(reference: str) -> dict[str, Any]:
    entity = EntityRef.FromString(b64decode(reference))
    return {
        "schemaUrl": entity.schema_url,
        "type": entity.type,
        "idKeys": list(entity.id_keys),
        "descriptionKeys": list(entity.description_keys),
    }


def _attributes(keys: list[str], types: list[int], texts: list[str]) -> list[dict[str, Any]]:
    return [
        {"key": key, "value": {"stringValue": text} if kind == 1 else otlp_value(kind, text)}
        for key, kind, text in zip(keys, types, texts, strict=True)
    ]


def _span(found: Slice, record: Record) -> dict[str, Any]:
    attributes = _attributes(record.attribute_keys, record.attribute_types, record.attribute_texts)
    attributes += [
        {"key": key, "value": {"stringValue": text}} for key, text in found.contents(record)
    ]
    made: dict[str, Any] = {
        "traceId": record.trace_id,
        "spanId": record.span_id,
        "name": record.name,
        "kind": _SPAN_KINDS[record.span_kind],
        # Times before 1970 are the largest numbers of an unsigned field.
        "startTimeUnixNano": str(record.start_ns % 2**64),
        "endTimeUnixNano": str(record.end_ns % 2**64),
        "attributes": attributes,
    }
    if record.parent_span_id:
        made["parentSpanId"] = record.parent_span_id
    if record.trace_state:
        made["traceState"] = record.trace_state
    if record.flags:
        made["flags"] = record.flags
    if record.event_times:
        made["events"] = list(_events(record))
    if record.link_trace_ids:
        made["links"] = list(_links(record))
    if record.status != "unset" or record.status_message:
        made["status"] = {"code": _STATUS_CODES[record.status]}
        if record.status_message:
            made["status"]["message"] = record.status_message
    dropped = {
        "droppedAttributesCount": record.dropped_attributes_count,
        "droppedEventsCount": record.dropped_events_count,
        "droppedLinksCount": record.dropped_links_count,
    }
    made.update((name, count) for name, count in dropped.items() if count)
    return made


def _events(record: Record) -> Iterator[dict[str, Any]]:
    for time, name, pairs, dropped in zip(
        record.event_times,
        record.event_names,
        record.event_attributes,
        record.event_dropped,
        strict=True,
    ):
        made: dict[str, Any] = {
            "timeUnixNano": str(time),
            "name": name,
            "attributes": otlp_pairs(pairs),
        }
        if dropped:
            made["droppedAttributesCount"] = dropped
        yield made


def _links(record: Record) -> Iterator[dict[str, Any]]:
    for trace_id, span_id, state, pairs, dropped, flags in zip(
        record.link_trace_ids,
        record.link_span_ids,
        record.link_trace_states,
        record.link_attributes,
        record.link_dropped,
        record.link_flags,
        strict=True,
    ):
        made: dict[str, Any] = {
            "traceId": trace_id,
            "spanId": span_id,
            "attributes": otlp_pairs(pairs),
        }
        if state:
            made["traceState"] = state
        if dropped:
            made["droppedAttributesCount"] = dropped
        if flags:
            made["flags"] = flags
        yield made
