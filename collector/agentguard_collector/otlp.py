"""Validation of an OTLP trace request: one C-speed parse, then a look at each span's identity."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agentguard_collector import lenient
from agentguard_collector.errors import BadData

__all__ = ["Batch", "ExportTraceServiceRequest", "Rejections", "read", "read_keys", "without"]

_NO_TRACE = bytes(16)
_NO_SPAN = bytes(8)
_PARENT_SIZES = (0, 8)
_DAY = 86_400 * 10**9
_SHOWN = 3

IsBad: TypeAlias = Callable[[Span], bool]


@dataclass(slots=True)
class Rejections:
    """Spans that are refused while the rest of their batch is kept."""

    count: int = 0
    reasons: list[str] = field(default_factory=list)

    def add(self, reason: str) -> None:
        """Count one span; the first few reasons are told to the sender."""
        self.count += 1
        if len(self.reasons) < _SHOWN and reason not in self.reasons:
            self.reasons.append(reason)


@dataclass(slots=True)
class Batch:
    """`keys` are project prefix + trace id + span id, in the order of the spans in `request`.

    `body` is the serialised request: the sender's own bytes unless spans had to be dropped.
    `strange` counts spans whose times make no sense; they are kept.
    """

    request: ExportTraceServiceRequest
    body: bytes
    keys: list[bytes]
    rejected: Rejections
    strange: int


def read(body: bytes, prefix: bytes, now: int, rejected: Rejections | None = None) -> Batch:
    """Parse and validate; `now` is Unix nanoseconds, `rejected` what a decoder refused before.

    Raises BadData when the body is no trace request or holds spans but not one valid one.
    """
    rejected = rejected or Rejections()
    try:
        request = ExportTraceServiceRequest.FromString(body)
    except DecodeError:
        request, body = lenient.salvage(body, rejected.add)
    keys, faulty, strange = _walk(request, prefix, now + _DAY)
    if faulty:
        _drop(request, rejected)
        body = request.SerializeToString()
        keys, _, strange = _walk(request, prefix, now + _DAY)
    if rejected.count and not keys:
        raise BadData("no valid span in the request: " + "; ".join(rejected.reasons))
    return Batch(request, body, keys, rejected, strange)


def read_keys(body: bytes, prefix: bytes) -> tuple[ExportTraceServiceRequest, list[bytes]]:
    """Parse what was validated before."""
    request = ExportTraceServiceRequest.FromString(body)
    return request, _walk(request, prefix, 0)[0]


def _walk(
    request: ExportTraceServiceRequest, prefix: bytes, horizon: int
) -> tuple[list[bytes], bool, int]:
    """Return the valid spans' keys, whether any span is invalid, and how many have odd times."""
    keys: list[bytes] = []
    add = keys.append
    faulty, strange = False, 0
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                trace_id, span_id = span.trace_id, span.span_id
                if (
                    len(trace_id) == 16
                    and len(span_id) == 8
                    and trace_id != _NO_TRACE
                    and span_id != _NO_SPAN
                    and len(span.parent_span_id) in _PARENT_SIZES
                ):
                    add(prefix + trace_id + span_id)
                else:
                    faulty = True
                if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano <= horizon:
                    strange += 1
    return keys, faulty, strange


def _fault(span: Span) -> str | None:
    """Say what is wrong with a span's identity (trace/v1/trace.proto: "The ID is a 16-byte...")."""
    if not span.trace_id and not span.span_id:
        return (
            "spans without trace id and span id; this path takes traces, if these are logs or "
            "metrics send them to a collector for those"
        )
    if len(span.trace_id) != 16:
        return f"trace_id must be 16 bytes, not {len(span.trace_id)} (span {span.name[:80]!r})"
    if span.trace_id == _NO_TRACE:
        return f"trace_id must not be all zeros (span {span.name[:80]!r})"
    if len(span.span_id) != 8:
        return f"span_id must be 8 bytes, not {len(span.span_id)} (span {span.name[:80]!r})"
    if span.span_id == _NO_SPAN:
        return f"span_id must not be all zeros (span {span.name[:80]!r})"
    if len(span.parent_span_id) not in _PARENT_SIZES:
        size = len(span.parent_span_id)
        return f"parent_span_id must be empty or 8 bytes, not {size} (span {span.name[:80]!r})"
    return None


def _drop(request: ExportTraceServiceRequest, rejected: Rejections) -> None:
    """Remove invalid spans, noting why."""
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            faults = [_fault(span) for span in scope.spans]
            for fault in faults:
                if fault:
                    rejected.add(fault)
            _keep(scope.spans, [not fault for fault in faults])


def without(request: ExportTraceServiceRequest, keys: list[bytes], taken: Iterable[bytes]) -> int:
    """Remove spans whose key is taken or repeats an earlier one; return how many remain."""
    gone, position, kept = set(taken), 0, 0
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            wanted = []
            for key in keys[position : position + len(scope.spans)]:
                wanted.append(key not in gone)
                gone.add(key)
            position += len(wanted)
            kept += sum(wanted)
            _keep(scope.spans, wanted)
    return kept


def _keep(spans: object, wanted: list[bool]) -> None:
    """Delete the unwanted from the back, so that positions stay true."""
    for position in range(len(wanted) - 1, -1, -1):
        if not wanted[position]:
            del spans[position]  # type: ignore[attr-defined]
