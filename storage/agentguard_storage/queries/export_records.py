"""What an export reads of each span and source, as columns of the engine's JSON."""

from __future__ import annotations

from typing import Final, NamedTuple

__all__ = ["COLUMNS", "SOURCE_COLUMNS", "Record", "Source"]

_TYPES: Final = (
    "arrayConcat(arrayWithConstant(length(mapKeys({0})) - length({1}), 1), {1}::Array(Int8))"
)
# Arrays, maps and bytes are no text: JSON, in which the engine answers, could not hold them.
_TEXTS: Final = (
    "if(arrayExists(t -> t >= 5, {1}::Array(Int8)),"
    " arrayMap((v, t) -> if(t >= 5, base64Encode(v), v), mapValues({0}), " + _TYPES + "),"
    " mapValues({0}))"
)
_PAIRS: Final = "arrayMap(pairs -> arrayMap(pair -> base64Encode(pair), pairs), {})"


class Record(NamedTuple):
    """A span as it is stored. Times are Unix nanoseconds, protobufs and bytes are base64.

    `attribute_types` are numbered as AnyValue's fields, one for each attribute.
    """

    ts_hour: int
    trace_id: str
    start_ns: int
    span_id: str
    parent_span_id: str
    name: str
    kind: str
    status: str
    status_message: str
    started: str
    ended: str
    end_ns: int
    duration_ns: int
    service: str
    environment: str
    session: str
    user: str
    agent: str
    tool: str
    provider: str
    model: str
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: str | None
    cost_source: str
    price_version: str
    guard: str
    guard_action: str
    stop_reason: str
    source_id: int
    attribute_keys: list[str]
    attribute_types: list[int]
    attribute_texts: list[str]
    content_keys: list[str]
    content_forms: list[int]
    content_blobs: list[list[str]]
    event_times: list[int]
    event_names: list[str]
    event_attributes: list[list[str]]
    event_dropped: list[int]
    link_trace_ids: list[str]
    link_span_ids: list[str]
    link_trace_states: list[str]
    link_attributes: list[list[str]]
    link_dropped: list[int]
    link_flags: list[int]
    span_kind: str
    trace_state: str
    flags: int
    dropped_attributes_count: int
    dropped_events_count: int
    dropped_links_count: int


class Source(NamedTuple):
    """A resource and a scope as they are stored; see Record."""

    source_id: int
    keys: list[str]
    types: list[int]
    texts: list[str]
    dropped_attributes_count: int
    entity_refs: list[str]
    schema_url: str
    scope_name: str
    scope_version: str
    scope_attributes: list[str]
    scope_dropped_attributes_count: int
    scope_schema_url: str


_RECORD: Final = {
    "ts_hour": "toUnixTimestamp(ts_hour)",
    "start_ns": "toUnixTimestamp64Nano(start_time)",
    "started": "toString(start_time)",
    "ended": "toString(end_time)",
    "end_ns": "toUnixTimestamp64Nano(end_time)",
    "cost": "toString(cost)",
    "attribute_keys": "mapKeys(attributes)",
    "attribute_types": _TYPES.format("attributes", "attribute_types"),
    "attribute_texts": _TEXTS.format("attributes", "attribute_types"),
    "content_keys": "content.key",
    "content_forms": "content.form",
    "content_blobs": "arrayMap(hashes -> arrayMap(hash -> toString(hash), hashes), content.blobs)",
    "event_times": "events.time_unix_nano",
    "event_names": "events.name",
    "event_attributes": _PAIRS.format("events.attributes"),
    "event_dropped": "events.dropped_attributes_count",
    "link_trace_ids": "arrayMap(id -> lower(hex(id)), links.trace_id)",
    "link_span_ids": "arrayMap(id -> lower(hex(id)), links.span_id)",
    "link_trace_states": "links.trace_state",
    "link_attributes": _PAIRS.format("links.attributes"),
    "link_dropped": "links.dropped_attributes_count",
    "link_flags": "links.flags",
}
# No aliases: one that is also a column's name would stand for it in the conditions.
COLUMNS: Final = ", ".join(_RECORD.get(name, name) for name in Record._fields)

SOURCE_COLUMNS: Final = (
    "source_id, mapKeys(resource_attributes), "
    + _TYPES.format("resource_attributes", "resource_attribute_types")
    + ", "
    + _TEXTS.format("resource_attributes", "resource_attribute_types")
    + ", resource_dropped_attributes_count,"
    " arrayMap(reference -> base64Encode(reference), resource_entity_refs), resource_schema_url,"
    " scope_name, scope_version, arrayMap(pair -> base64Encode(pair), scope_attributes),"
    " scope_dropped_attributes_count, scope_schema_url"
)
