"""Traces as they are read, made of few words: what pure functions over traces are tested with."""

from __future__ import annotations

import types
from collections.abc import Iterable, Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any, get_args, get_origin, get_type_hints

from agentguard_storage.queries.critical_path import places
from agentguard_storage.queries.span_rows import SpanRow
from agentguard_storage.queries.trace import Trace, trace_of

_TYPES = get_type_hints(SpanRow)
_EMPTY: dict[str, Any] = {"kind": "other", "span_kind": "internal", "status": "unset"}


def span_id(number: int) -> str:
    """The id of the span with this number."""
    return f"{number:016x}"


def trace(spans: Iterable[Mapping[str, Any]], trace_id: str = "a" * 32) -> Trace:
    """A trace of spans with what is said of them, everything else as empty as it may be.

    `id` and `parent` are numbers (None: at the top), `start` and `end` nanoseconds.
    """
    said = [dict(each) for each in spans]
    for number, each in enumerate(said):
        each["span_id"] = span_id(each.pop("id", number))
        parent = each.pop("parent", None)
        each["parent_span_id"] = "" if parent is None else span_id(parent)
        each["start_time_ns"] = each.pop("start", 0)
        each["end_time_ns"] = each.pop("end", each["start_time_ns"])
    said.sort(key=lambda each: (each["start_time_ns"], each["span_id"]))
    found = places(
        [each["span_id"] for each in said],
        [each["parent_span_id"] for each in said],
        [each["start_time_ns"] for each in said],
        [each["end_time_ns"] for each in said],
    )
    made = []
    for each, place in zip(said, found, strict=True):
        shape = {name: getattr(place, name) for name in _TYPES if hasattr(place, name)}
        took = max(each["end_time_ns"] - each["start_time_ns"], 0)
        known = {"trace_id": trace_id, "name": f"step-{each['span_id']}.", "duration_ns": took}
        made.append(SpanRow(**_empty() | known | shape | each))
    return trace_of(made)


def _empty() -> dict[str, Any]:
    return {field.name: _nothing(field.name) for field in fields(SpanRow)}


def _nothing(name: str) -> Any:
    kind = _TYPES[name]
    if name in _EMPTY:
        return _EMPTY[name]
    if get_origin(kind) is types.UnionType and Decimal in get_args(kind):
        return None
    return (get_origin(kind) or kind)()
