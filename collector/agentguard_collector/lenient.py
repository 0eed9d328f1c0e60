"""Second reading of a request that the strict parser refuses as a whole.

protobuf's parser refuses a message for one invalid UTF-8 string or one value nested too deep, and
good spans would go with it. Here OTLP's own descriptors are loaded once more with every string
declared bytes and nested values left unparsed, so that each span can be judged by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1 import common_pb2
from opentelemetry.proto.resource.v1 import resource_pb2
from opentelemetry.proto.trace.v1 import trace_pb2
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

from agentguard_collector.errors import BadData

__all__ = ["salvage"]

_Field = descriptor_pb2.FieldDescriptorProto
_OPAQUE = {"array_value", "kvlist_value"}
_REFUSED = (
    "the body is not an ExportTraceServiceRequest: it is truncated, corrupt, or of another kind"
)


def salvage(body: bytes, reject: Callable[[str], None]) -> tuple[ExportTraceServiceRequest, bytes]:
    """Return the request without the spans that cannot be parsed, and its bytes.

    `reject` is called with the reason once per span. Raises BadData when not even this works.
    """
    try:
        loose = _loose_request().FromString(body)
        for resource in loose.resource_spans:
            shell = type(resource)()
            shell.CopyFrom(resource)
            del shell.scope_spans[:]
            whole = _parses(ResourceSpans, shell)
            for scope in resource.scope_spans:
                _filter(scope, whole, reject)
            if not whole:
                resource.Clear()
        kept = loose.SerializeToString()
        return ExportTraceServiceRequest.FromString(kept), kept
    except DecodeError:
        raise BadData(_REFUSED) from None


def _filter(scope: Any, whole: bool, reject: Callable[[str], None]) -> None:
    """Delete from a ScopeSpans whatever the strict parser would refuse."""
    shell = type(scope)()
    shell.CopyFrom(scope)
    del shell.spans[:]
    whole = whole and _parses(ScopeSpans, shell)
    for position in range(len(scope.spans) - 1, -1, -1):
        span = scope.spans[position]
        if not whole or not _parses(Span, span):
            name = span.name.decode(errors="replace")[:80]
            reject(f"invalid UTF-8, or values nested more than 40 deep, in span {name!r}")
            del scope.spans[position]
    if not whole:
        scope.Clear()


def _parses(kind: Any, loose: Any) -> bool:
    try:
        kind.FromString(loose.SerializeToString())
    except DecodeError:
        return False
    return True


@cache
def _loose_request() -> Any:
    pool = descriptor_pool.DescriptorPool()
    for module in (common_pb2, resource_pb2, trace_pb2, trace_service_pb2):
        file = descriptor_pb2.FileDescriptorProto()
        module.DESCRIPTOR.CopyToProto(file)
        for message in file.message_type:
            _loosen(message)
        pool.Add(file)
    name = ExportTraceServiceRequest.DESCRIPTOR.full_name
    return message_factory.GetMessageClass(pool.FindMessageTypeByName(name))


def _loosen(message: descriptor_pb2.DescriptorProto) -> None:
    for field in message.field:
        if field.type == _Field.TYPE_STRING or field.name in _OPAQUE:
            field.type = _Field.TYPE_BYTES
            field.ClearField("type_name")
    for nested in message.nested_type:
        _loosen(nested)
