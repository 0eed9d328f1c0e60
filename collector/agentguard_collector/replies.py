"""Answers in the sender's own encoding: OTLP responses and google.rpc.Status."""

from __future__ import annotations

import json
import math
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import BadRequest, RetryInfo  # type: ignore[import-untyped]
from google.rpc.status_pb2 import Status  # type: ignore[import-untyped]
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agentguard_collector.errors import BadData, Refusal

__all__ = ["JSON", "PROTOBUF", "refusal_body", "refusal_headers", "rpc_status", "success_body"]

PROTOBUF = "application/x-protobuf"
JSON = "application/json"

# Kept far below the 4 MiB that the specification recommends for a whole response.
_LONGEST_MESSAGE = 4096
_TYPE = "type.googleapis.com/"


def success_body(response: ExportTraceServiceResponse, media: str) -> bytes:
    """Serialise a full or partial success."""
    if media == PROTOBUF:
        return response.SerializeToString()
    answer: dict[str, Any] = {}
    if response.HasField("partial_success"):
        partial = answer["partialSuccess"] = {}
        if response.partial_success.rejected_spans:
            # 64-bit integers are strings in protobuf's JSON mapping.
            partial["rejectedSpans"] = str(response.partial_success.rejected_spans)
        partial["errorMessage"] = response.partial_success.error_message
    return json.dumps(answer).encode()


def rpc_status(refusal: Refusal) -> Status:
    """Build the Status of a refusal, with BadRequest or RetryInfo where the protocol has them."""
    message = refusal.message[:_LONGEST_MESSAGE]
    status = Status(code=refusal.grpc_status.value[0], message=message)
    if isinstance(refusal, BadData):
        violation = BadRequest.FieldViolation(field="body", description=message)
        status.details.add().Pack(BadRequest(field_violations=[violation]))
    if refusal.retry_after is not None:
        delay = Duration(seconds=math.ceil(refusal.retry_after))
        status.details.add().Pack(RetryInfo(retry_delay=delay))
    return status


def refusal_body(refusal: Refusal, media: str) -> bytes:
    """Serialise a refusal."""
    status = rpc_status(refusal)
    if media == PROTOBUF:
        return bytes(status.SerializeToString())
    details: list[dict[str, Any]] = []
    if isinstance(refusal, BadData):
        violation = {"field": "body", "description": status.message}
        details.append({"@type": _TYPE + "google.rpc.BadRequest", "fieldViolations": [violation]})
    if refusal.retry_after is not None:
        delay = f"{math.ceil(refusal.retry_after)}s"
        details.append({"@type": _TYPE + "google.rpc.RetryInfo", "retryDelay": delay})
    body = {"code": status.code, "message": status.message, "details": details}
    return json.dumps(body).encode()


def refusal_headers(refusal: Refusal) -> dict[str, str]:
    """Headers that HTTP asks for with this status (RFC 9110, sections 10.2 and 11.6)."""
    headers: dict[str, str] = {}
    if refusal.http_status == 401:
        headers["WWW-Authenticate"] = 'Bearer realm="agentguard"'
    if refusal.http_status == 405:
        headers["Allow"] = "POST"
    if refusal.http_status == 415:
        headers["Accept-Encoding"] = "gzip, deflate, zstd"
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(refusal.retry_after))
    return headers
