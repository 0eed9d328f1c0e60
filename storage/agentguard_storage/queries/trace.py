"""One trace, span by span, and one span of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final

from agentguard_storage.queries.columns import OF_ONE_TRACE, read_columns
from agentguard_storage.queries.contents import (
    COLUMNS,
    Contents,
    read_contents,
)
from agentguard_storage.queries.reader import Reader, portions
from agentguard_storage.queries.sources import Source, read_sources
from agentguard_storage.queries.span_rows import BRIEF, SHAPE, SpanRow, read_places, read_spans

_MODELS: Final = ("llm", "embedding")
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

__all__ = ["Trace", "find_trace_ids", "get_span", "get_trace", "trace_of", "with_contents"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """A trace with all its spans, in order of their start; the sums are over all of them.

    `critical_path` has the ids of the spans that the end waited for, in order of their start.
    `complete` says that there is a root and every span's parent: the rest of a running trace comes
    later. Durations are in nanoseconds, money in US dollars: None where nothing is priced.
    """

    trace_id: str
    root_name: str
    service: str
    environment: str
    session: str
    user: str
    started_at: datetime
    duration_ns: int
    span_count: int
    error_count: int
    llm_calls: int
    tool_calls: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal | None
    unpriced_calls: int
    services: list[str]
    models: list[str]
    agents: list[str]
    guard: str
    stop_reason: str
    complete: bool
    critical_path: list[str]
    spans: list[SpanRow]


_BRIEF: Final = f"SELECT {', '.join(BRIEF)}{OF_ONE_TRACE}"
_FULL: Final = f"SELECT {', '.join(dict.fromkeys((*BRIEF, *COLUMNS)))}{OF_ONE_TRACE}"
_SHAPE: Final = f"SELECT {', '.join(SHAPE)}{OF_ONE_TRACE}"
_ONE: Final = f"{_FULL} AND span_id = {{span:String}} ORDER BY start_time LIMIT 1"
_SOME: Final = (
    f"SELECT {', '.join(COLUMNS)}{OF_ONE_TRACE} AND span_id IN {{spans:Array(String)}}"
    " ORDER BY start_time"
)


def get_trace(reader: Reader, trace_id: str, *, contents: bool = True) -> Trace | None:
    """Return the trace with this id, in lowercase hex; None where the project has no span of it.

    Without `contents`, no attribute, event, link or resource is read: for trees and lists.
    Raises QueryTooLarge for a trace whose contents are more than the reader may hold.
    """
    found = read_columns(reader, _FULL if contents else _BRIEF, {"trace": trace_id})
    if not found:
        return None
    where = read_places(found)
    if contents:
        sources = read_sources(reader, found["source_id"])
        spans = read_spans(found, where, sources, read_contents(reader, trace_id, found))
    else:
        spans = read_spans(found, where, {})
    spans.sort(key=lambda span: (span.start_time_ns, span.span_id))
    return trace_of(spans)


def get_span(reader: Reader, trace_id: str, span_id: str) -> SpanRow | None:
    """Return one span with all that it carried; None where the project has none such.

    Of its trace nothing but the shape is read, and of the long texts only its own.
    """
    asked = {"trace": trace_id}
    found = read_columns(reader, _ONE, asked | {"span": span_id})
    if not found:
        return None
    shape = read_columns(reader, _SHAPE, asked)
    place = read_places(shape)[shape["span_id"].index(span_id)]
    sources = read_sources(reader, found["source_id"])
    [span] = read_spans(found, [place], sources, read_contents(reader, trace_id, found))
    return span


def with_contents(reader: Reader, spans: Sequence[SpanRow]) -> list[SpanRow]:
    """Return some spans of one trace that was read without contents, in their order, with them.

    Of the long texts only theirs are read.
    """
    carried: dict[str, tuple[Contents, int]] = {}
    for ids in portions([span.span_id for span in spans]):
        trace_id = spans[0].trace_id
        found = read_columns(reader, _SOME, {"trace": trace_id, "spans": ids})
        if found:
            read = zip(read_contents(reader, trace_id, found), found["source_id"], strict=True)
            for span_id, each in zip(found["content_of"], read, strict=True):
                carried.setdefault(span_id, each)
    sources = read_sources(reader, (source_id for _, source_id in carried.values()))
    return [_filled(span, carried.get(span.span_id), sources) for span in spans]


def _filled(
    span: SpanRow, carried: tuple[Contents, int] | None, sources: Mapping[int, Source]
) -> SpanRow:
    if carried is None:
        return span
    own, source = carried[0], sources.get(carried[1])
    return replace(
        span,
        attributes=own.attributes,
        events=own.events,
        links=own.links,
        resource=source.resource if source else {},
        scope=source.scope if source else "",
        scope_version=source.scope_version if source else "",
    )


def find_trace_ids(reader: Reader, beginning: str, limit: int = 10) -> list[str]:
    """Return up to `limit` ids of traces that begin with these hexadecimal digits."""
    found = reader.rows(
        "SELECT DISTINCT trace_id FROM traces WHERE project_id = {project:String}"
        " AND startsWith(trace_id, {beginning:String}) ORDER BY trace_id LIMIT {limit:UInt32}",
        {"beginning": beginning, "limit": limit},
    )
    return [row["trace_id"] for row in found]


def trace_of(spans: list[SpanRow]) -> Trace:
    """Return the trace that these spans make up: one or more, in order of their start."""
    root = next((span for span in spans if not span.parent_span_id), spans[0])
    start = min(span.start_time_ns for span in spans)
    costs = [span.cost for span in spans if span.cost is not None]
    unpriced = sum(span.cost_source == "unpriced" for span in spans)
    return Trace(
        trace_id=spans[0].trace_id,
        root_name=root.name,
        service=spans[0].service,
        environment=max(span.environment for span in spans),
        session=max(span.session for span in spans),
        user=max(span.user for span in spans),
        started_at=_EPOCH + timedelta(microseconds=start // 1_000),
        duration_ns=max(max(span.end_time_ns for span in spans) - start, 0),
        span_count=len(spans),
        error_count=sum(span.status == "error" for span in spans),
        llm_calls=sum(span.kind == "llm" for span in spans),
        tool_calls=sum(span.kind == "tool" for span in spans),
        input_tokens=sum(span.input_tokens for span in spans),
        cache_read_tokens=sum(span.cache_read_tokens for span in spans),
        cache_write_tokens=sum(span.cache_write_tokens for span in spans),
        output_tokens=sum(span.output_tokens for span in spans),
        reasoning_tokens=sum(span.reasoning_tokens for span in spans),
        cost=sum(costs, Decimal()) if costs or not unpriced else None,
        unpriced_calls=unpriced,
        services=sorted({span.service for span in spans} - {""}),
        models=sorted({span.model for span in spans if span.kind in _MODELS} - {""}),
        agents=sorted({span.agent for span in spans} - {""}),
        guard=next((span.guard for span in spans if span.guard_action == "stop"), ""),
        stop_reason=max(span.stop_reason for span in spans),
        complete=not root.parent_span_id and not any(span.orphan for span in spans),
        critical_path=[span.span_id for span in spans if span.critical],
        spans=spans,
    )
