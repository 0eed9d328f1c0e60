"""Which values and attributes there are: of sums, or of a bounded number of the newest spans."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from agentguard_storage.filters.fields import Field
from agentguard_storage.queries.hours import IN_HOURS, TimeRange
from agentguard_storage.queries.reader import Reader

__all__ = ["Seen", "seen_keys", "seen_values"]


@dataclass(frozen=True, slots=True)
class Seen:
    """A value or name, and how often it was seen; None where nobody counted."""

    text: str
    times: int | None


@dataclass(frozen=True, slots=True)
class _Source:
    """An expression of text, or an array of them if `many`, over the first `rows` of a table."""

    expression: str
    table: str
    rows: int
    many: bool = False


_SOURCES: Final = "sources WHERE project_id = {project:String}"
_TRACES: Final = f"traces WHERE project_id = {{project:String}} AND {IN_HOURS}"
_SPANS: Final = f"spans WHERE project_id = {{project:String}} AND {IN_HOURS}"

# Columns of few distinct values are quick to read; maps take a hundred times as long.
_COLUMN_ROWS: Final = 500_000
_TEXT_ROWS: Final = 50_000
_MAP_ROWS: Final = 20_000
_MOST: Final = 20

_HOURLY: Final = frozenset({"service", "environment", "agent", "provider", "model"})
_PLACES: Final = {
    "session": _Source("session", _TRACES, _COLUMN_ROWS),
    "user": _Source("user", _TRACES, _COLUMN_ROWS),
    "trace.name": _Source("root_name", _TRACES, _COLUMN_ROWS),
    "name": _Source("name", _SPANS, _COLUMN_ROWS),
    "tool": _Source("tool", _SPANS, _COLUMN_ROWS),
    "guard": _Source("guard", _SPANS, _COLUMN_ROWS),
    "action": _Source("guard_action", _SPANS, _COLUMN_ROWS),
    "reason": _Source("stop_reason", _SPANS, _COLUMN_ROWS),
    "message": _Source("status_message", _SPANS, _TEXT_ROWS),
    "event": _Source("events.name", _SPANS, _TEXT_ROWS, many=True),
    "scope": _Source("scope_name", _SOURCES, _TEXT_ROWS),
    "resource.": _Source("resource_attributes[{key:String}]", _SOURCES, _MAP_ROWS),
    "attr.": _Source("attributes[{key:String}]", _SPANS, _MAP_ROWS),
}
_KEYS: Final = {
    "resource.": _Source("mapKeys(resource_attributes)", _SOURCES, _MAP_ROWS, many=True),
    "attr.": _Source("mapKeys(attributes)", _SPANS, _MAP_ROWS, many=True),
}

_BEGINS: Final = "seen != '' AND startsWith(lower(seen), lower({prefix:String}))"
_SHOWN: Final = f"{_BEGINS} AND isValidUTF8(seen) AND length(seen) <= 200"
_RANKED: Final = "GROUP BY seen ORDER BY times DESC, seen LIMIT {most:UInt16}"


def seen_values(
    reader: Reader, time_range: TimeRange, field: Field, key: str, prefix: str
) -> list[Seen]:
    """Return values of a text field that begin so, whatever their case, the most frequent first.

    `key` names the attribute, where the field is a family. Raises as `Reader.rows` does.
    """
    column = field.name.removeprefix("trace.")
    source = _PLACES.get(field.name) or _PLACES.get(column)
    if column in _HOURLY:
        statement = (
            f"SELECT {column}::String AS seen, sum(span_count) AS times FROM usage_hourly"
            f" WHERE project_id = {{project:String}} AND {IN_HOURS} AND {_SHOWN} {_RANKED}"
        )
        parameters = {**time_range.parameters(), "prefix": prefix, "most": _MOST}
        return [Seen(row["seen"], row["times"]) for row in reader.rows(statement, parameters)]
    return [] if source is None else _read(reader, time_range, source, prefix, key)


def seen_keys(reader: Reader, time_range: TimeRange, family: Field, prefix: str) -> list[Seen]:
    """Return names of attributes that begin so. Raises as `Reader.rows` does."""
    return _read(reader, time_range, _KEYS[family.name], prefix)


def _read(
    reader: Reader, time_range: TimeRange, source: _Source, prefix: str, key: str = ""
) -> list[Seen]:
    parameters: dict[str, object] = {
        **time_range.parameters(), "prefix": prefix, "most": _MOST, "rows": source.rows, "key": key,
    }  # fmt: skip
    if source.table == _SPANS:
        parameters["from_hour"] = _newest_hour(reader, parameters, source.rows)
    inner = f"SELECT {source.expression} AS found FROM {source.table} LIMIT {{rows:UInt32}}"
    seen = "arrayJoin(found)" if source.many else "found"
    statement = (
        "SELECT seen, count() AS times"
        f" FROM (SELECT {seen}::String AS seen FROM ({inner})) WHERE {_SHOWN} {_RANKED}"
    )
    return [Seen(row["seen"], row["times"]) for row in reader.rows(statement, parameters)]


def _newest_hour(reader: Reader, parameters: dict[str, object], rows: int) -> object:
    """The hour from which on there are so many spans, or the range's first."""
    hours = reader.rows(
        "SELECT toUnixTimestamp(ts_hour) AS hour, sum(span_count) AS spans FROM usage_hourly"
        f" WHERE project_id = {{project:String}} AND {IN_HOURS}"
        " GROUP BY hour ORDER BY hour DESC",
        parameters,
    )
    counted = 0
    for row in hours:
        counted += row["spans"]
        if counted >= rows:
            return row["hour"]
    return parameters["from_hour"]
