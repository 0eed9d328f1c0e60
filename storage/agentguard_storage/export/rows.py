"""A span as one row: the columns of JSON, NDJSON, CSV and Parquet, in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, Literal, TypeAlias

from agentguard_storage.export.values import plain_pairs, plain_value
from agentguard_storage.queries.export import Record, Slice, Source

__all__ = ["COLUMNS", "Kind", "rows"]

Kind: TypeAlias = Literal["text", "count", "time", "money", "json"]

COLUMNS: Final[dict[str, Kind]] = {
    "trace_id": "text",
    "span_id": "text",
    "parent_span_id": "text",
    "name": "text",
    "kind": "text",
    "status": "text",
    "status_message": "text",
    "start_time": "time",
    "end_time": "time",
    "duration_ns": "count",
    "service": "text",
    "environment": "text",
    "session": "text",
    "user": "text",
    "agent": "text",
    "tool": "text",
    "provider": "text",
    "model": "text",
    "input_tokens": "count",
    "cache_read_tokens": "count",
    "cache_write_tokens": "count",
    "output_tokens": "count",
    "reasoning_tokens": "count",
    "cost": "money",
    "cost_source": "text",
    "price_version": "text",
    "guard": "text",
    "guard_action": "text",
    "stop_reason": "text",
    "span_kind": "text",
    "trace_state": "text",
    "attributes": "json",
    "events": "json",
    "links": "json",
    "scope_name": "text",
    "scope_version": "text",
    "resource": "json",
}
"""Each column's kind. Times are UTC with nanoseconds, money is US dollars with 12 decimals."""


def rows(found: Slice, times: Literal["text", "ns"] = "text") -> Iterator[list[Any]]:
    """Yield the spans of a slice: ints, texts, None for an unknown cost; JSON as plain values.

    Times are texts as in RFC 3339, or Unix nanoseconds.
    """
    as_text = times == "text"
    for record in found.records():
        source = found.source(record.source_id)
        yield [
            record.trace_id,
            record.span_id,
            record.parent_span_id,
            record.name,
            record.kind,
            record.status,
            record.status_message,
            _rfc3339(record.started) if as_text else record.start_ns,
            _rfc3339(record.ended) if as_text else record.end_ns,
            record.duration_ns,
            record.service,
            record.environment,
            record.session,
            record.user,
            record.agent,
            record.tool,
            record.provider,
            record.model,
            record.input_tokens,
            record.cache_read_tokens,
            record.cache_write_tokens,
            record.output_tokens,
            record.reasoning_tokens,
            record.cost,
            record.cost_source,
            record.price_version,
            record.guard,
            record.guard_action,
            record.stop_reason,
            record.span_kind,
            record.trace_state,
            _attributes(found, record),
            _events(record),
            _links(record),
            source.scope_name,
            source.scope_version,
            _resource(source),
        ]


def _rfc3339(text: str) -> str:
    return f"{text[:10]}T{text[11:]}Z"


def _attributes(found: Slice, record: Record) -> dict[str, Any]:
    made = {
        key: text if kind == 1 else plain_value(kind, text)
        for key, kind, text in zip(
            record.attribute_keys, record.attribute_types, record.attribute_texts, strict=True
        )
    }
    made.update(found.contents(record))
    return made


def _events(record: Record) -> list[dict[str, Any]]:
    return [
        {"time_unix_nano": time, "name": name, "attributes": plain_pairs(pairs)}
        for time, name, pairs in zip(
            record.event_times, record.event_names, record.event_attributes, strict=True
        )
    ]


def _links(record: Record) -> list[dict[str, Any]]:
    return [
        {"trace_id": trace_id, "span_id": span_id, "attributes": plain_pairs(pairs)}
        for trace_id, span_id, pairs in zip(
            record.link_trace_ids, record.link_span_ids, record.link_attributes, strict=True
        )
    ]


def _resource(source: Source) -> dict[str, Any]:
    return {
        key: plain_value(kind, text)
        for key, kind, text in zip(source.keys, source.types, source.texts, strict=True)
    }
