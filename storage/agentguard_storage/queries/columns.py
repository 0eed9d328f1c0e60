"""Answers by column: for thousands of rows at once, of which few values differ."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from agentguard_storage.queries.reader import Reader

__all__ = ["NUMBERED", "OF_ONE_TRACE", "Columns", "map_values", "read_columns"]

Columns = Mapping[str, Sequence[Any]]

OF_ONE_TRACE: Final = (
    " FROM spans WHERE project_id = {project:String} AND trace_id = {trace:String} AND ts_hour IN"
    " (SELECT ts_hour FROM traces WHERE project_id = {project:String}"
    " AND trace_id = {trace:String})"
)
"""Its hours are looked up: `traces` has an index on its ids, while `spans` is sorted by hours."""


def read_columns(reader: Reader, statement: str, parameters: Mapping[str, Any]) -> Columns:
    """Return what a statement finds, as `Reader.rows` does, but by column; empty if nothing."""
    with reader.asking(statement):
        found = reader.client.query(
            statement,
            parameters=reader.bound(parameters),
            settings=reader.bounds.settings(),
            column_oriented=True,
        )
        return dict(zip(found.column_names, found.result_columns, strict=False))


NUMBERED: Final = "::Array(Int8)"
"""After a column of types: as the numbers that AnyValue's fields have."""

_VALUES: Final = (
    "if(hasAny(%(types)s, [5, 6, 7]),"
    " arrayMap((value, type) -> if(type IN (5, 6, 7), hex(value), value), mapValues(%(map)s),"
    " arrayConcat(arrayWithConstant(length(mapValues(%(map)s)) - length(%(types)s), 1::Int8),"
    " %(types)s)), mapValues(%(map)s))"
)


def map_values(name: str, types: str) -> str:
    """The values of a map, those that are protobuf or bytes in hex: all else is text."""
    return _VALUES % {"map": name, "types": types + NUMBERED}
