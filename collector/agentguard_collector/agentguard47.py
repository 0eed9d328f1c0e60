"""The lines of agentguard47's HttpSink as OTLP; the same line makes the same span every time.

A span's end line is the span: it repeats what its start line said. An event leaves the process
before the span that it is in has ended, so it becomes a child of that span, without a duration.
https://pypi.org/project/agentguard47/ (2.0.0: agentguard/tracing.py, agentguard/sinks/http.py)
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span, Status

from agentguard import semconv
from agentguard_collector.agentguard47_costs import CostLedger
from agentguard_collector.agentguard47_line import Line
from agentguard_collector.agentguard47_meaning import (
    Attributes,
    attributes_of,
    is_model_call,
    usage_of,
)
from agentguard_collector.errors import TooLarge

__all__ = ["MOST_LINES", "SHOWN_ERRORS", "Converted", "convert"]

# A service, and its metadata as JSON.
Source: TypeAlias = tuple[str, str]

# The sink buffers 10,000 lines at most.
MOST_LINES: Final = 100_000
SHOWN_ERRORS: Final = 100
_SCOPE: Final = "agentguard47"
_COST: Final = "agentguard.cost.usd"


@dataclass(slots=True)
class Converted:
    """`request` holds the spans; `accepted` and `rejected` count lines, which blank ones are not.

    `errors` says for the first of the rejected lines which (from 1) and what is wrong with it.
    """

    request: ExportTraceServiceRequest = field(default_factory=ExportTraceServiceRequest)
    accepted: int = 0
    rejected: int = 0
    errors: list[dict[str, int | str]] = field(default_factory=list)


def convert(body: bytes, project_id: str, ledger: CostLedger) -> Converted:
    """Turn NDJSON into spans; a line that is none is reported, the others are kept.

    Raises TooLarge for more lines than a batch can have.
    """
    lines = body.split(b"\n")
    if len(lines) > MOST_LINES:
        raise TooLarge(f"the body has more than {MOST_LINES} lines; send smaller batches")
    converted = Converted()
    scopes: dict[Source, ScopeSpans] = {}
    for number, raw in enumerate(lines, 1):
        if not raw.strip():
            continue
        try:
            _add(converted.request, scopes, Line.parse(raw), project_id, ledger)
        except (ValueError, RecursionError) as error:
            converted.rejected += 1
            if len(converted.errors) < SHOWN_ERRORS:
                converted.errors.append({"line": number, "error": _problem(error)})
        else:
            converted.accepted += 1
    return converted


def _problem(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "the JSON is nested too deep"
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError):
        return f"not JSON: {error}"[:200]
    return str(error)[:200]


def _add(
    request: ExportTraceServiceRequest,
    scopes: dict[Source, ScopeSpans],
    line: Line | None,
    project_id: str,
    ledger: CostLedger,
) -> None:
    """Add what a line makes: one span, two for a span with a total of costs, none for a start."""
    if line is None or (line.kind == "span" and line.phase == "start"):
        return
    spans = _spans(line, ledger, _digest(16, project_id, line.trace, line.owner))
    source = line.service, json.dumps(line.metadata, sort_keys=True) if line.metadata else ""
    scope = scopes.get(source)
    if scope is None:
        resource = request.resource_spans.add()
        found = _resource(line)
        resource.resource.attributes.extend(map(_attribute, found, found.values()))
        scope = scopes[source] = resource.scope_spans.add()
        scope.scope.name = _SCOPE
    scope.spans.extend(spans)


def _spans(line: Line, ledger: CostLedger, owner: bytes) -> list[Span]:
    usage = usage_of(line.name, line.data)
    # Only model calls have costs in the store, so an event that had one was such a call.
    calls_model = is_model_call(line.kind, line.name, usage) or (
        line.kind == "event" and line.cost is not None
    )
    call = usage if calls_model else None
    span = _span(line, attributes_of(line.kind, line.name, line.data, call))
    if calls_model:
        said = line.cost is not None or semconv.USAGE_INPUT_TOKENS in usage
        if said and not ledger.count_call(owner):
            _set_cost(span, 0.0)
        elif line.cost is not None:
            _set_cost(span, line.cost)
        return [span]
    if not line.cost or not ledger.count_total(owner):
        return [span]
    total = Span(
        trace_id=span.trace_id,
        span_id=_digest(8, line.trace, line.owner, "costs"),
        parent_span_id=span.span_id,
        name="costs",
        kind=Span.SPAN_KIND_INTERNAL,
        start_time_unix_nano=span.end_time_unix_nano,
        end_time_unix_nano=span.end_time_unix_nano,
    )
    total.attributes.append(_attribute(semconv.OPERATION_NAME, semconv.CHAT))
    if line.session:
        total.attributes.append(_attribute(semconv.CONVERSATION_ID, line.session))
    _set_cost(total, line.cost)
    return [span, total]


def _span(line: Line, attributes: Attributes) -> Span:
    end = round(line.ts * 1_000_000) * 1000
    own = _digest(8, line.trace, line.owner)
    span = Span(trace_id=_trace_id(line.trace), name=_clean(line.name))
    span.kind = Span.SPAN_KIND_INTERNAL
    span.start_time_unix_nano = span.end_time_unix_nano = max(1, end)
    if line.kind == "span":
        span.span_id = own
        span.start_time_unix_nano = max(1, end - round(line.took * 1e9))
        if line.parent:
            span.parent_span_id = _digest(8, line.trace, line.parent)
    else:
        # Not of the whole line: the sink writes some fields that a file of lines does not have.
        what = json.dumps([line.name, line.ts, line.data], sort_keys=True)
        span.span_id = _digest(8, line.trace, line.owner, what)
        span.parent_span_id = own
    if line.session:
        attributes[semconv.CONVERSATION_ID] = line.session
    reason: object = attributes.get(semconv.STOP_REASON)
    if line.error:
        is_object = isinstance(line.error, dict)
        reason = line.error.get("message", "") if is_object else line.error
        attributes[semconv.ERROR_TYPE] = str(line.error.get("type", "")) if is_object else "error"
    if reason is not None:
        span.status.CopyFrom(Status(code=Status.STATUS_CODE_ERROR, message=_clean(str(reason))))
    span.attributes.extend(map(_attribute, attributes, attributes.values()))
    return span


def _resource(line: Line) -> Attributes:
    found: Attributes = {semconv.SERVICE_NAME: line.service}
    for key, value in line.metadata.items():
        if key in ("env", "environment") and isinstance(value, str):
            found[semconv.DEPLOYMENT_ENVIRONMENT_NAME] = value
        else:
            text = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
            found[f"agentguard47.metadata.{key}"] = text
    return found


def _set_cost(span: Span, dollars: float) -> None:
    span.attributes.append(_attribute(_COST, float(dollars)))


def _attribute(key: str, value: str | bool | int | float) -> KeyValue:
    match value:
        case str():
            held = AnyValue(string_value=_clean(value))
        case bool():
            held = AnyValue(bool_value=value)
        case int():
            held = AnyValue(int_value=value)
        case _:
            held = AnyValue(double_value=value)
    return KeyValue(key=_clean(key), value=held)


def _clean(text: str) -> str:
    """JSON can name half a character, which protobuf's UTF-8 cannot hold."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode()


def _trace_id(text: str) -> bytes:
    """Keep the tracer's own ids, which are hex of 16 bytes, so that traces are found again."""
    try:
        own = bytes.fromhex(text) if len(text) == 32 else b""
    except ValueError:
        own = b""
    return own if len(own) == 16 and any(own) else _digest(16, text)


def _digest(size: int, *parts: str) -> bytes:
    text = "".join(f"{len(part)}:{part}" for part in parts).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=size).digest()
