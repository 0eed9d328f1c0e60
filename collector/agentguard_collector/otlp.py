"""Validation of an OTLP trace request: one C-speed parse, then a look at each span's identity."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeAlias

from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from agentguard_collector import lenient
from agentguard_collector.errors import BadData

__all__ = ["Batch", "ExportTraceServiceRequest", "Rejections", "Traces", "read", "without"]

_NO_TRACE = bytes(16)
_NO_SPAN = bytes(8)
_PARENT_SIZES = (0, 8)
_DAY = 86_400 * 10**9
_SHOWN = 3

# Project prefix + trace id -> that trace's span ids, in the order of the request.
Traces: TypeAlias = dict[bytes, list[bytes]]


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
    """`body` is the serialised request: the sender's own bytes unless spans had to be dropped.

    `prefix` stands for the project, `strange` counts spans whose times make no sense but that are
    kept, `spans` counts all that are. The parsed request is not kept: it is three times as large.
    """

    body: bytes
    prefix: bytes
    traces: Traces
    spans: int
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
    traces, suspect, strange = _walk(request, prefix, now + _DAY)
    if suspect and _drop(request, rejected):
        body = request.SerializeToString()
        traces, _, strange = _walk(request, prefix, now + _DAY)
    if rejected.count and not traces:
        raise BadData("no valid span in the request: " + "; ".join(rejected.reasons))
    spans = sum(map(len, traces.values()))
    return Batch(body, prefix, traces, spans, rejected, strange)


def _walk(
    request: ExportTraceServiceRequest, prefix: bytes, horizon: int
) -> tuple[Traces, bool, int]:
    """Return the spans' ids, whether any span may be invalid, and how many have odd times.

    This is the hot loop: what can be judged per trace is not judged per span.
    """
    traces: Traces = {}
    last: bytes | None = None
    ids: list[bytes] = []
    add = ids.append
    suspect, strange = False, 0
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                trace_id = span.trace_id
                if trace_id != last:
                    last = trace_id
                    add = traces.setdefault(prefix + trace_id, []).append
                add(span.span_id)
                if len(span.parent_span_id) not in _PARENT_SIZES:
                    suspect = True
                if not 0 < span.start_time_unix_nano <= span.end_time_unix_nano <= horizon:
                    strange += 1
                    suspect = suspect or not span.end_time_unix_nano
    whole = len(prefix) + 16
    no_trace = prefix + _NO_TRACE
    suspect = suspect or any(
        len(trace) != whole or trace == no_trace or set(map(len, ids)) != {8} or _NO_SPAN in ids
        for trace, ids in traces.items()
    )
    return traces, suspect, strange


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
    if not span.end_time_unix_nano and _is_text(span.trace_id) and _is_text(span.span_id):
        return (
            f"a span without times whose ids are text, {span.trace_id!r} and {span.span_id!r}: "
            "this is a metric with such a name and description, and this path takes traces"
        )
    return None


def _is_text(data: bytes) -> bool:
    return data.isascii() and data.decode().isprintable()


def _drop(request: ExportTraceServiceRequest, rejected: Rejections) -> bool:
    """Remove invalid spans, noting why; tell whether there were any."""
    before = rejected.count
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            faults = [_fault(span) for span in scope.spans]
            for fault in faults:
                if fault:
                    rejected.add(fault)
            _keep(scope.spans, [not fault for fault in faults])
    return rejected.count > before


def without(batch: Batch, taken: Iterable[bytes]) -> tuple[bytes, int]:
    """Leave out spans whose key is taken or repeats an earlier one.

    A key is project prefix + trace id + span id. Returns the body of what remains, and its spans.
    """
    gone, kept = set(taken), 0
    request = ExportTraceServiceRequest.FromString(batch.body)
    for resource in request.resource_spans:
        for scope in resource.scope_spans:
            wanted = []
            for span in scope.spans:
                key = batch.prefix + span.trace_id + span.span_id
                wanted.append(key not in gone)
                gone.add(key)
            kept += sum(wanted)
            _keep(scope.spans, wanted)
    return request.SerializeToString(), kept


def _keep(spans: object, wanted: list[bool]) -> None:
    """Delete the unwanted from the back, so that positions stay true."""
    for position in range(len(wanted) - 1, -1, -1):
        if not wanted[position]:
            del spans[position]  # type: ignore[attr-defined]
