"""Hypothesis strategies for OTLP requests, and the JSON form of one, written independently."""

from __future__ import annotations

import base64
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
uint64 = st.integers(0, 2**64 - 1)
uint32 = st.integers(0, 2**32 - 1)


def _ids(size: int) -> st.SearchStrategy[bytes]:
    return st.binary(min_size=size, max_size=size).filter(any)


scalars = st.one_of(
    st.builds(AnyValue),
    st.builds(AnyValue, string_value=texts),
    st.builds(AnyValue, bool_value=st.booleans()),
    st.builds(AnyValue, int_value=st.integers(-(2**63), 2**63 - 1)),
    st.builds(AnyValue, double_value=st.floats(allow_nan=False)),
    st.builds(AnyValue, bytes_value=st.binary(max_size=5)),
)
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.builds(AnyValue, array_value=st.builds(ArrayValue, values=st.lists(inner, max_size=3))),
        st.builds(
            AnyValue,
            kvlist_value=st.builds(
                KeyValueList,
                values=st.lists(st.builds(KeyValue, key=texts, value=inner), max_size=2),
            ),
        ),
    ),
    max_leaves=6,
)
attributes = st.lists(st.builds(KeyValue, key=texts, value=values), max_size=3)
events = st.builds(
    Span.Event,
    time_unix_nano=uint64,
    name=texts,
    attributes=attributes,
    dropped_attributes_count=uint32,
)
links = st.builds(
    Span.Link,
    trace_id=_ids(16),
    span_id=_ids(8),
    trace_state=texts,
    attributes=attributes,
    flags=uint32,
)
spans = st.builds(
    Span,
    trace_id=_ids(16),
    span_id=_ids(8),
    parent_span_id=st.just(b"") | _ids(8),
    trace_state=texts,
    flags=uint32,
    name=texts,
    kind=st.integers(0, 5),
    start_time_unix_nano=uint64,
    end_time_unix_nano=uint64,
    attributes=attributes,
    dropped_attributes_count=uint32,
    events=st.lists(events, max_size=2),
    dropped_events_count=uint32,
    links=st.lists(links, max_size=2),
    dropped_links_count=uint32,
    status=st.builds(Status, message=texts, code=st.integers(0, 2)),
)
scopes = st.builds(
    ScopeSpans,
    scope=st.builds(InstrumentationScope, name=texts, version=texts, attributes=attributes),
    spans=st.lists(spans, max_size=3),
    schema_url=texts,
)


def requests() -> st.SearchStrategy[ExportTraceServiceRequest]:
    """Any valid trace request of moderate size."""
    resources = st.builds(
        ResourceSpans,
        resource=st.builds(Resource, attributes=attributes, dropped_attributes_count=uint32),
        scope_spans=st.lists(scopes, max_size=2),
        schema_url=texts,
    )
    return st.builds(ExportTraceServiceRequest, resource_spans=st.lists(resources, max_size=2))


def to_json(message: Message) -> dict[str, Any]:
    """Write a message as OTLP/JSON, from its descriptor."""
    return {field.json_name: _field(field, value) for field, value in message.ListFields()}


def _field(field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, (str, bytes, bool, int, float, Message)):
        return _single(field, value)
    return [_single(field, item) for item in value]


def _single(field: FieldDescriptor, value: Any) -> Any:
    if isinstance(value, Message):
        return to_json(value)
    if isinstance(value, bytes):
        return value.hex() if field.name.endswith("_id") else base64.b64encode(value).decode()
    if isinstance(value, float) and value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if field.type in (FieldDescriptor.TYPE_FIXED64, FieldDescriptor.TYPE_INT64):
        return str(value)
    return value
