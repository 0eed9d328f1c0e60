"""OTLP/JSON to protobuf. https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding

Protobuf's own JSON mapping cannot be used: here ids are hex, enums are integers only, unknown
names are ignored, and one bad span must not take its batch along.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
import re
from collections.abc import Callable
from typing import Any, TypeAlias

from google.protobuf.message import EncodeError, Message
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    EntityRef,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status

from agentguard_collector.errors import BadData
from agentguard_collector.otlp import Rejections

__all__ = ["to_protobuf"]

Convert: TypeAlias = Callable[[Any], Any]
Table: TypeAlias = dict[str, tuple[str, Convert]]

_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")
_INTEGER = re.compile(r"-?[0-9]{1,20}")
# protobuf parsers stop at 100 levels; each nested value takes two and a span is five down.
_DEEPEST = 40
_OTHER_SIGNALS = {
    "resourceLogs": "logs",
    "resourceMetrics": "metrics",
    "resourceProfiles": "profiles",
}


class _WrongError(ValueError):
    """A value that its field cannot hold."""


def to_protobuf(body: bytes, rejected: Rejections) -> bytes:
    """Convert an OTLP/JSON trace request; spans that cannot be converted are noted in `rejected`.

    Raises BadData when the body as a whole is not such a request.
    """
    document = _parse(body)
    if "resourceSpans" not in document:
        for name, signal in _OTHER_SIGNALS.items():
            if name in document:
                raise BadData(f"these are {signal}; this path takes traces (resourceSpans)")
        if "resource_spans" in document:
            raise BadData("OTLP/JSON names are lowerCamelCase: resourceSpans, not resource_spans")
    request = ExportTraceServiceRequest()
    try:
        for resource in _list(document.get("resourceSpans")):
            request.resource_spans.append(_resource_spans(resource, rejected))
        return request.SerializeToString()
    except (_WrongError, EncodeError) as error:
        raise BadData(f"not an OTLP/JSON trace request: {error}") from None


def _parse(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body, parse_constant=_no_constant)
    except RecursionError:
        raise BadData("the JSON is nested too deep") from None
    except ValueError as error:
        raise BadData(f"the body is not valid JSON: {str(error)[:200]}") from None
    if not isinstance(document, dict):
        raise BadData("the body must be a JSON object with resourceSpans")
    return document


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON; write it as a string")


def _resource_spans(value: Any, rejected: Rejections) -> ResourceSpans:
    found = _object(value)
    made: ResourceSpans = _build(ResourceSpans, _RESOURCE_SPANS, found)
    for scope in _list(found.get("scopeSpans")):
        made.scope_spans.append(_scope_spans(scope, rejected))
    return made


def _scope_spans(value: Any, rejected: Rejections) -> ScopeSpans:
    found = _object(value)
    made: ScopeSpans = _build(ScopeSpans, _SCOPE_SPANS, found)
    for span in _list(found.get("spans")):
        try:
            made.spans.append(_build(Span, _SPAN, _object(span)))
        except _WrongError as error:
            name = span.get("name") if isinstance(span, dict) else None
            rejected.add(f"{error} (span {str(name)[:80]!r})")
    return made


def _build(kind: type[Any], table: Table, value: Any) -> Any:
    """Make a message from an object; null means absent, names not in the table are ignored."""
    found = _object(value)
    fields = {}
    for name, (field, convert) in table.items():
        item = found.get(name)
        if item is not None:
            try:
                fields[field] = convert(item)
            except _WrongError as error:
                raise _WrongError(f"{name}: {error}") from None
    return kind(**fields)


def _message(kind: type[Message], table: Table) -> Convert:
    return lambda value: _build(kind, table, value)


def _messages(kind: type[Message], table: Table) -> Convert:
    return lambda value: [_build(kind, table, item) for item in _list(value)]


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise _WrongError(f"must be an object, not {type(value).__name__}")
    return value


def _list(value: Any) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list):
        raise _WrongError(f"must be an array, not {type(value).__name__}")
    return value


def _string(value: Any) -> str:
    if not isinstance(value, str):
        raise _WrongError(f"must be a string, not {type(value).__name__}")
    if not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            raise _WrongError("holds a lone surrogate, which is no Unicode text") from None
    return value


def _strings(value: Any) -> list[str]:
    return [_string(item) for item in _list(value)]


def _hex(value: Any) -> bytes:
    if not isinstance(value, str) or not _HEX.fullmatch(value):
        raise _WrongError(f"must be hex digits (not base64), got {str(value)[:60]!r}")
    return bytes.fromhex(value)


def _integer(low: int, high: int) -> Convert:
    """Accept a number, or a decimal string as 64-bit integers are written."""

    def convert(value: Any) -> int:
        if isinstance(value, str) and _INTEGER.fullmatch(value):
            value = int(value)
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if type(value) is not int:
            raise _WrongError(f"must be an integer, got {str(value)[:60]!r}")
        if not low <= value <= high:
            raise _WrongError(f"{str(value)[:60]} is out of range")
        return value

    return convert


def _enum(value: Any) -> int:
    if type(value) is not int or not -(2**31) <= value < 2**31:
        raise _WrongError(f"enum values are integers, got {str(value)[:60]!r}")
    return value


def _double(value: Any) -> float:
    if type(value) in (int, float):
        try:
            return float(value)
        except OverflowError:
            return math.copysign(math.inf, value)
    if isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            pass
    raise _WrongError(f"must be a number, got {str(value)[:60]!r}")


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise _WrongError(f"must be true or false, got {str(value)[:60]!r}")
    return value


def _bytes(value: Any) -> bytes:
    """Base64, standard or URL-safe, padded or not (protobuf's JSON mapping)."""
    text = _string(value).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        raise _WrongError("must be base64") from None


def _any_value(value: Any, depth: int = 0) -> AnyValue:
    if depth > _DEEPEST:
        raise _WrongError(f"values are nested more than {_DEEPEST} deep")
    present = {name: item for name, item in _object(value).items() if item is not None}
    kinds = [name for name in present if name in _SCALARS or name in ("arrayValue", "kvlistValue")]
    if len(kinds) > 1:
        raise _WrongError(f"one value cannot be both {kinds[0]} and {kinds[1]}")
    if not kinds:
        return AnyValue()
    kind = kinds[0]
    if kind in _SCALARS:
        field, convert = _SCALARS[kind]
        return AnyValue(**{field: convert(present[kind])})
    items = _list(_object(present[kind]).get("values"))
    if kind == "arrayValue":
        return AnyValue(
            array_value=ArrayValue(values=[_any_value(item, depth + 1) for item in items])
        )
    return AnyValue(
        kvlist_value=KeyValueList(values=[_key_value(item, depth + 1) for item in items])
    )


def _key_value(value: Any, depth: int = 0) -> KeyValue:
    found = _object(value)
    made = KeyValue(key=_string(found.get("key") or ""))
    if found.get("value") is not None:
        made.value.CopyFrom(_any_value(found["value"], depth))
    return made


def _attributes(value: Any) -> list[KeyValue]:
    return [_key_value(item) for item in _list(value)]


_uint32 = _integer(0, 2**32 - 1)
_uint64 = _integer(0, 2**64 - 1)
_int64 = _integer(-(2**63), 2**63 - 1)

_SCALARS: Table = {
    "stringValue": ("string_value", _string),
    "boolValue": ("bool_value", _bool),
    "intValue": ("int_value", _int64),
    "doubleValue": ("double_value", _double),
    "bytesValue": ("bytes_value", _bytes),
}
_COMMON: Table = {
    "attributes": ("attributes", _attributes),
    "droppedAttributesCount": ("dropped_attributes_count", _uint32),
}
_ENTITY: Table = {
    "schemaUrl": ("schema_url", _string),
    "type": ("type", _string),
    "idKeys": ("id_keys", _strings),
    "descriptionKeys": ("description_keys", _strings),
}
_RESOURCE: Table = {**_COMMON, "entityRefs": ("entity_refs", _messages(EntityRef, _ENTITY))}
_SCOPE: Table = {**_COMMON, "name": ("name", _string), "version": ("version", _string)}
_EVENT: Table = {
    **_COMMON,
    "timeUnixNano": ("time_unix_nano", _uint64),
    "name": ("name", _string),
}
_LINK: Table = {
    **_COMMON,
    "traceId": ("trace_id", _hex),
    "spanId": ("span_id", _hex),
    "traceState": ("trace_state", _string),
    "flags": ("flags", _uint32),
}
_STATUS: Table = {"message": ("message", _string), "code": ("code", _enum)}
_SPAN: Table = {
    **_COMMON,
    "traceId": ("trace_id", _hex),
    "spanId": ("span_id", _hex),
    "parentSpanId": ("parent_span_id", _hex),
    "traceState": ("trace_state", _string),
    "flags": ("flags", _uint32),
    "name": ("name", _string),
    "kind": ("kind", _enum),
    "startTimeUnixNano": ("start_time_unix_nano", _uint64),
    "endTimeUnixNano": ("end_time_unix_nano", _uint64),
    "events": ("events", _messages(Span.Event, _EVENT)),
    "droppedEventsCount": ("dropped_events_count", _uint32),
    "links": ("links", _messages(Span.Link, _LINK)),
    "droppedLinksCount": ("dropped_links_count", _uint32),
    "status": ("status", _message(Status, _STATUS)),
}
_SCHEMA: Table = {"schemaUrl": ("schema_url", _string)}
_RESOURCE_SPANS: Table = {**_SCHEMA, "resource": ("resource", _message(Resource, _RESOURCE))}
_SCOPE_SPANS: Table = {**_SCHEMA, "scope": ("scope", _message(InstrumentationScope, _SCOPE))}
