"""Spans as they lie in the store, back out as the OTLP that they came as.

Tests compare what was sent with this; it goes another way than what the product reads with.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client
from opentelemetry.proto.common.v1.common_pb2 import (
    AnyValue,
    ArrayValue,
    InstrumentationScope,
    KeyValue,
    KeyValueList,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from agentguard_storage.queries.hours import IN_HOURS, STARTED, TimeRange
from agentguard_storage.queries.pieces import joined

Row = Mapping[str, Any]

# What a span carried is bytes to ClickHouse, and may be protobuf: it is not read as text.
AS_BYTES: Final = {"String": "bytes"}

SPAN_COLUMNS: Final = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "toString(spans.name) AS name",
    "toInt8(spans.span_kind) AS span_kind",
    "toInt8(spans.status) AS status_code",
    "status_message",
    "toUnixTimestamp64Nano(start_time) AS start_ns",
    "toUnixTimestamp64Nano(end_time) AS end_ns",
    "trace_state",
    "flags",
    "source_id",
    "mapKeys(attributes)::Array(String) AS attribute_keys",
    "mapValues(attributes) AS attribute_values",
    "spans.attribute_types::Array(Int8) AS attribute_types",
    "content.key::Array(String) AS content_keys",
    "content.form AS content_forms",
    "content.blobs AS content_blobs",
    "events.time_unix_nano AS event_times",
    "events.name::Array(String) AS event_names",
    "events.attributes AS event_attributes",
    "events.dropped_attributes_count AS event_dropped",
    "links.trace_id AS link_trace_ids",
    "links.span_id AS link_span_ids",
    "links.trace_state AS link_trace_states",
    "links.attributes AS link_attributes",
    "links.dropped_attributes_count AS link_dropped",
    "links.flags AS link_flags",
    "dropped_attributes_count",
    "dropped_events_count",
    "dropped_links_count",
)

_STRING, _BOOL, _INT, _DOUBLE, _ARRAY, _KVLIST, _BYTES = range(1, 8)
# So many ids stay in the URL: clickhouse-connect sends parameters of 4 KB and more as a form.
_AT_ONCE: Final = 80


def any_value(kind: int, text: bytes) -> AnyValue:
    """Return the OTLP value that was stored as `text` with type `kind`."""
    match kind:
        case 1:
            return AnyValue(string_value=text.decode())
        case 2:
            return AnyValue(bool_value=text == b"true")
        case 3:
            return AnyValue(int_value=int(text))
        case 4:
            return AnyValue(double_value=float(text))
        case 5:
            return AnyValue(array_value=ArrayValue.FromString(text))
        case 6:
            return AnyValue(kvlist_value=KeyValueList.FromString(text))
        case 7:
            return AnyValue(bytes_value=text)
        case _:
            return AnyValue()


def attributes(
    keys: Sequence[bytes], values: Sequence[bytes], types: Sequence[int]
) -> Iterator[KeyValue]:
    """Yield the attributes of a map whose first values are strings and whose last have `types`."""
    kinds = [_STRING] * (len(keys) - len(types)) + list(types)
    for key, value, kind in zip(keys, values, kinds, strict=True):
        yield KeyValue(key=key.decode(), value=any_value(kind, value))


def content(row: Row, blobs: Mapping[tuple[bytes, int], bytes]) -> Iterator[KeyValue]:
    """Yield the attributes whose text lies in `blobs`, put together again.

    Raises KeyError for a blob that is not among `blobs`.
    """
    for key, form, hashes in zip(
        row["content_keys"], row["content_forms"], row["content_blobs"], strict=True
    ):
        pieces = [blobs[row["trace_id"], number].decode() for number in hashes]
        yield KeyValue(key=key.decode(), value=AnyValue(string_value=joined(form, pieces)))


def span(row: Row, blobs: Mapping[tuple[bytes, int], bytes]) -> Span:
    """Return the OTLP span that a row of `SPAN_COLUMNS` was made from."""
    made = Span(
        trace_id=bytes.fromhex(row["trace_id"].decode()),
        span_id=bytes.fromhex(row["span_id"].decode()),
        parent_span_id=bytes.fromhex(row["parent_span_id"].decode()),
        trace_state=row["trace_state"].decode(),
        name=row["name"].decode(),
        kind=row["span_kind"],
        start_time_unix_nano=row["start_ns"] % 2**64,
        end_time_unix_nano=row["end_ns"] % 2**64,
        flags=row["flags"],
        dropped_attributes_count=row["dropped_attributes_count"],
        dropped_events_count=row["dropped_events_count"],
        dropped_links_count=row["dropped_links_count"],
    )
    made.status.code = row["status_code"]
    made.status.message = row["status_message"].decode()
    made.attributes.extend(
        attributes(row["attribute_keys"], row["attribute_values"], row["attribute_types"])
    )
    made.attributes.extend(content(row, blobs))
    for time, name, pairs, dropped in zip(
        row["event_times"],
        row["event_names"],
        row["event_attributes"],
        row["event_dropped"],
        strict=True,
    ):
        made.events.add(
            time_unix_nano=time,
            name=name.decode(),
            attributes=map(KeyValue.FromString, pairs),
            dropped_attributes_count=dropped,
        )
    for trace_id, span_id, state, pairs, dropped, flags in zip(
        row["link_trace_ids"],
        row["link_span_ids"],
        row["link_trace_states"],
        row["link_attributes"],
        row["link_dropped"],
        row["link_flags"],
        strict=True,
    ):
        made.links.add(
            trace_id=trace_id,
            span_id=span_id,
            trace_state=state.decode(),
            attributes=map(KeyValue.FromString, pairs),
            dropped_attributes_count=dropped,
            flags=flags,
        )
    return made


def read_blobs(
    client: Client, project_id: str, rows: Iterable[Row]
) -> dict[tuple[bytes, int], bytes]:
    """Return the contents of the traces that `rows` belong to, by trace id and hash."""
    wanted = sorted({row["trace_id"].decode() for row in rows if row["content_blobs"]})
    found: dict[tuple[bytes, int], bytes] = {}
    for first in range(0, len(wanted), _AT_ONCE):
        # A trace's blobs lie side by side and nearly all of them are wanted: no hashes are sent.
        answer = client.query(
            "SELECT trace_id, hash, content FROM blobs"
            " WHERE project_id = {project:String} AND trace_id IN {traces:Array(String)}"
            " LIMIT 1 BY trace_id, hash",
            parameters={"project": project_id, "traces": wanted[first : first + _AT_ONCE]},
            query_formats=AS_BYTES,
        )
        found.update(((trace, number), text) for trace, number, text in answer.result_rows)
    return found


_SOURCES: Final = (
    "SELECT source_id, mapKeys(resource_attributes)::Array(String) AS attribute_keys,"
    " mapValues(resource_attributes) AS attribute_values,"
    " resource_attribute_types::Array(Int8) AS attribute_types,"
    " resource_dropped_attributes_count, resource_entity_refs,"
    " toString(resource_schema_url) AS resource_schema_url, toString(scope_name) AS scope_name,"
    " toString(scope_version) AS scope_version, scope_attributes,"
    " scope_dropped_attributes_count, toString(scope_schema_url) AS scope_schema_url"
    " FROM sources WHERE project_id = {project:String} AND source_id IN {ids:Array(UInt64)}"
    " LIMIT 1 BY source_id"
)


def read_sources(client: Client, project_id: str, ids: Iterable[int]) -> dict[int, Row]:
    """Return the resources and scopes with these `ids`."""
    wanted = sorted(set(ids))
    found: dict[int, Row] = {}
    for first in range(0, len(wanted), _AT_ONCE):
        answer = client.query(
            _SOURCES,
            parameters={"project": project_id, "ids": wanted[first : first + _AT_ONCE]},
            query_formats=AS_BYTES,
        )
        found.update((row["source_id"], row) for row in answer.named_results())
    return found


def resource(source: Row) -> Resource:
    """Return the OTLP resource of a row of `read_sources`."""
    made = Resource(dropped_attributes_count=source["resource_dropped_attributes_count"])
    made.attributes.extend(
        attributes(source["attribute_keys"], source["attribute_values"], source["attribute_types"])
    )
    for reference in source["resource_entity_refs"]:
        made.entity_refs.add().MergeFromString(reference)
    return made


def scope(source: Row) -> InstrumentationScope:
    """Return the OTLP scope of a row of `read_sources`."""
    return InstrumentationScope(
        name=source["scope_name"].decode(),
        version=source["scope_version"].decode(),
        attributes=map(KeyValue.FromString, source["scope_attributes"]),
        dropped_attributes_count=source["scope_dropped_attributes_count"],
    )


def export_spans(
    client: Client,
    project_id: str,
    *,
    start: datetime,
    end: datetime,
    service: str | None = None,
    limit: int = 100_000,
) -> list[ResourceSpans]:
    """Return the spans that started in `[start, end)`, as OTLP, one entry per resource and scope.

    Everything a span carried is there as it was sent; only the order of attributes and of spans
    may differ. At most `limit` spans.
    """
    found = client.query(
        f"SELECT {', '.join(SPAN_COLUMNS)} FROM spans"  # noqa: S608 - our own names
        " WHERE project_id = {project:String}"
        f" AND {IN_HOURS} AND {STARTED}"
        " AND ({service:String} = '' OR service = {service:String})"
        " ORDER BY source_id, start_time LIMIT {limit:UInt32}",
        parameters={
            "project": project_id,
            **TimeRange(start, end).parameters(),
            "service": service or "",
            "limit": limit,
        },
        query_formats=AS_BYTES,
    )
    rows = list(found.named_results())
    blobs = read_blobs(client, project_id, rows)
    sources = read_sources(client, project_id, (row["source_id"] for row in rows))
    made: dict[int, ResourceSpans] = {}
    for row in rows:
        number = row["source_id"]
        if number not in made:
            source = sources[number]
            made[number] = ResourceSpans(
                resource=resource(source), schema_url=source["resource_schema_url"].decode()
            )
            made[number].scope_spans.add(
                scope=scope(source), schema_url=source["scope_schema_url"].decode()
            )
        made[number].scope_spans[0].spans.append(span(row, blobs))
    return list(made.values())
