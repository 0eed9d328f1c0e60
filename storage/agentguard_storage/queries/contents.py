"""What a span carries besides its columns: attributes, events and links."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from agentguard_storage.queries.columns import (
    NUMBERED,
    OF_ONE_TRACE,
    Columns,
    map_values,
    read_columns,
)
from agentguard_storage.queries.pieces import joined
from agentguard_storage.queries.plain import plain_map, plain_pairs
from agentguard_storage.queries.reader import Reader

__all__ = [
    "COLUMNS",
    "NOTHING",
    "Contents",
    "SpanEvent",
    "SpanLink",
    "read_contents",
]


@dataclass(frozen=True, slots=True)
class SpanEvent:
    """Something that happened during a span; the time in Unix nanoseconds."""

    name: str
    time_ns: int
    attributes: dict[str, object]
    dropped_attributes_count: int


@dataclass(frozen=True, slots=True)
class SpanLink:
    """Another span that a span names; ids in lowercase hex."""

    trace_id: str
    span_id: str
    trace_state: str
    flags: int
    attributes: dict[str, object]
    dropped_attributes_count: int


@dataclass(frozen=True, slots=True)
class Contents:
    """Attributes, those of long texts included, events and links of one span."""

    attributes: dict[str, object] = field(default_factory=dict)
    events: list[SpanEvent] = field(default_factory=list)
    links: list[SpanLink] = field(default_factory=list)


NOTHING: Final = Contents()


def _hex(name: str) -> str:
    return f"arrayMap(pairs -> arrayMap(pair -> hex(pair), pairs), {name})"


COLUMNS: Final = (
    "span_id AS content_of",
    "source_id",
    "mapKeys(attributes) AS attribute_keys",
    "mapValues(attributes) AS attribute_values",
    f"spans.attribute_types{NUMBERED} AS types",
    "content.key AS content_keys",
    "content.form AS content_forms",
    "content.blobs AS content_blobs",
    "length(events.name) + length(links.trace_id) AS extras",
    "toUInt16(toDate(received_at)) AS arrived",
)
"""What `read_contents` takes from a row of `spans`."""

_TAKEN: Final = (
    "content_of", "attribute_keys", "attribute_values", "types", "content_keys", "content_forms",
    "content_blobs",
)  # fmt: skip


def read_contents(reader: Reader, trace_id: str, found: Columns) -> list[Contents]:
    """Return what spans of one trace carry, from their `COLUMNS`.

    Long texts are read too, and where there are some: values that are no text, events and links.
    Most spans have none, and each column of arrays takes its time. An attribute whose text has
    expired before its span is left out.
    """
    texts = _read_texts(reader, trace_id, found["content_blobs"], found["arrived"])
    beside = zip(found["content_of"], found["extras"], strict=True)
    extras = _read_extras(reader, trace_id, {span_id for span_id, number in beside if number})
    typed = zip(found["content_of"], found["types"], strict=True)
    with_packed = {span_id for span_id, types in typed if _PACKED & set(types)}
    packed = _read_packed(reader, trace_id, with_packed)
    rows = zip(*(found[name] for name in _TAKEN), strict=True)
    return [
        Contents(
            _attributes(texts, keys, packed.get(span_id, values), *row),
            *extras.get(span_id, ([], [])),
        )
        for span_id, keys, values, *row in rows
    ]


def _attributes(
    texts: Mapping[int, str],
    keys: Sequence[str],
    values: Sequence[str],
    types: Sequence[int],
    content_keys: Sequence[str],
    forms: Sequence[int],
    blobs: Sequence[Sequence[int]],
) -> dict[str, object]:
    attributes = plain_map(keys, values, types)
    for key, form, hashes in zip(content_keys, forms, blobs, strict=True):
        # Both are dropped when they have expired, but not in the same moment.
        if all(number in texts for number in hashes):
            attributes[key] = joined(form, [texts[number] for number in hashes])
    return attributes


_EXTRAS: Final = f"""
SELECT
    span_id,
    events.time_unix_nano AS event_times,
    events.name AS event_names,
    {_hex("events.attributes")} AS event_attributes,
    events.dropped_attributes_count AS event_dropped,
    arrayMap(id -> lower(hex(id)), links.trace_id) AS link_trace_ids,
    arrayMap(id -> lower(hex(id)), links.span_id) AS link_span_ids,
    links.trace_state AS link_trace_states,
    links.flags AS link_flags,
    {_hex("links.attributes")} AS link_attributes,
    links.dropped_attributes_count AS link_dropped
{OF_ONE_TRACE} AND length(events.name) + length(links.trace_id) > 0
    AND ({{all:Bool}} OR span_id IN {{spans:Array(String)}})
"""
_EVENT: Final = ("event_names", "event_times", "event_attributes", "event_dropped")
_LINK: Final = (
    "link_trace_ids", "link_span_ids", "link_trace_states", "link_flags", "link_attributes",
    "link_dropped",
)  # fmt: skip


def _read_extras(
    reader: Reader, trace_id: str, wanted: set[str]
) -> dict[str, tuple[list[SpanEvent], list[SpanLink]]]:
    """Return the events and links of those spans that have any."""
    return {
        row["span_id"]: (
            [
                SpanEvent(name, at, plain_pairs(pairs), dropped)
                for name, at, pairs, dropped in zip(*(row[name] for name in _EVENT), strict=True)
            ],
            [
                SpanLink(trace, span, state, flags, plain_pairs(pairs), dropped)
                for trace, span, state, flags, pairs, dropped in zip(
                    *(row[name] for name in _LINK), strict=True
                )
            ],
        )
        for row in _rows_of(reader, _EXTRAS, trace_id, wanted)
    }


# What AnyValue's fields of arrays, maps and bytes have as their numbers.
_PACKED: Final = frozenset({5, 6, 7})
_PACKED_VALUES: Final = f"""
SELECT span_id, {map_values("attributes", "spans.attribute_types")} AS attribute_values
{OF_ONE_TRACE} AND ({{all:Bool}} OR span_id IN {{spans:Array(String)}})
"""


def _read_packed(reader: Reader, trace_id: str, wanted: set[str]) -> dict[str, list[str]]:
    """Return the values of those spans' attributes, with those that are no text in hex."""
    rows = _rows_of(reader, _PACKED_VALUES, trace_id, wanted)
    return {row["span_id"]: row["attribute_values"] for row in rows}


def _rows_of(
    reader: Reader, statement: str, trace_id: str, wanted: set[str]
) -> list[dict[str, Any]]:
    """What a statement finds of those spans; of many it may find all that are in the trace."""
    if not wanted:
        return []
    few = len(wanted) <= _FEW
    asked = {"trace": trace_id, "all": not few, "spans": sorted(wanted) if few else []}
    return reader.rows(statement, asked)


# A text arrives with its span. Partitions go by the day of arrival, and merges keep within them.
_ALL_TEXTS: Final = (
    "SELECT hash, content FROM blobs"
    " WHERE project_id = {project:String} AND trace_id = {trace:String}"
    " AND toDate(received_at) BETWEEN toDate({first:UInt16}) AND toDate({last:UInt16})%s"
    " LIMIT 1 BY hash"
)
_TEXTS: Final = _ALL_TEXTS % " AND hash IN {hashes:Array(UInt128)}"
# More hashes than these cost more to send than the other texts of a trace cost to read.
_FEW: Final = 64


def _read_texts(
    reader: Reader,
    trace_id: str,
    blobs: Iterable[Sequence[Sequence[int]]],
    arrived: Sequence[int],
) -> Mapping[int, str]:
    wanted = {number for hashes in blobs for each in hashes for number in each}
    if not wanted:
        return {}
    few = len(wanted) <= _FEW
    asked: dict[str, Any] = {"trace": trace_id, "first": min(arrived), "last": max(arrived)}
    if few:
        asked["hashes"] = sorted(wanted)
    found = read_columns(reader, _TEXTS if few else _ALL_TEXTS % "", asked)
    return dict(zip(found["hash"], found["content"], strict=True)) if found else {}
