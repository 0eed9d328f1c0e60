"""All spans of a time, however many: slice by slice, in the order of the store's key.

Each slice is a short query of its own, which starts after the last row of the one before: nothing
runs in the engine while a slow reader takes what it was given, and one that hangs up leaves at
most one slice to finish. What is stored meanwhile is in the export if it comes after that row. A
filter is asked for keys first, many at once, since it may cost more than reading what it finds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from clickhouse_connect.driver.exceptions import Error

from agentguard_storage.filters import Condition, Filter, span_condition
from agentguard_storage.queries.errors import QueryTooLarge, StoreUnavailable
from agentguard_storage.queries.export_records import (
    COLUMNS,
    SOURCE_COLUMNS,
    Record,
    Source,
)
from agentguard_storage.queries.hours import IN_HOURS, STARTED, TimeRange
from agentguard_storage.queries.pieces import joined
from agentguard_storage.queries.reader import Reader

__all__ = ["Record", "Slice", "Source", "slices"]

_HOUR: Final = 3_600
_DAY: Final = 24 * _HOUR
# A filter that finds little reads all of a window for one answer: a second's work or two.
_WINDOW_SPANS: Final = 1_000_000
_KEYS: Final = 50_000
_FIRST_ROWS: Final = 500
# So many numbers fit into a parameter: ClickHouse takes 128 KiB (http_max_field_value_size).
_MOST_ROWS: Final = 5_000
_SOURCES_KEPT: Final = 10_000
_SLICE_BYTES: Final = 8 << 20
_MOST_BYTES: Final = 64 << 20
_SMALLER: Final = 8
_TOO_SLOW: Final = frozenset({159, 160})

_AFTER: Final = (
    "(ts_hour > toDateTime({after_hour:UInt32}) OR ts_hour = toDateTime({after_hour:UInt32})"
    " AND (trace_id > {after_trace:String} OR trace_id = {after_trace:String}"
    " AND (toUnixTimestamp64Nano(start_time) > {after_ns:Int64}"
    " OR toUnixTimestamp64Nano(start_time) = {after_ns:Int64} AND span_id > {after_span:String})))"
)
_UNTIL: Final = (
    "(ts_hour < toDateTime({until_hour:UInt32}) OR ts_hour = toDateTime({until_hour:UInt32})"
    " AND (trace_id < {until_trace:String} OR trace_id = {until_trace:String}"
    " AND (toUnixTimestamp64Nano(start_time) < {until_ns:Int64}"
    " OR toUnixTimestamp64Nano(start_time) = {until_ns:Int64} AND span_id <= {until_span:String})))"
)
_FROM: Final = (
    " FROM spans WHERE project_id = {project:String}"
    " AND ts_hour BETWEEN toDateTime({window_from:UInt32}) AND toDateTime({window_to:UInt32})"
    f" AND {STARTED} AND {_AFTER}"
)
_ORDER: Final = " ORDER BY project_id, ts_hour, trace_id, start_time, span_id LIMIT {rows:UInt32}"
_PICKED: Final = "cityHash64(trace_id, span_id)"
_IS_PICKED: Final = f"{_PICKED} IN {{picked:Array(UInt64)}}"
_FIND: Final = (
    "SELECT toUnixTimestamp(ts_hour), trace_id, toUnixTimestamp64Nano(start_time), span_id,"
    f" {_PICKED}{_FROM}"
)
_BLOBS: Final = (
    "SELECT trace_id, toString(hash), content FROM blobs"
    " WHERE project_id = {project:String} AND (trace_id, hash) IN"
    " (SELECT trace_id, arrayJoin(arrayFlatten(content.blobs))"
)
_SOURCES: Final = (
    f"SELECT {SOURCE_COLUMNS} FROM sources"
    " WHERE project_id = {project:String} AND source_id IN (SELECT source_id"
)
_HOURS: Final = (
    "SELECT toUnixTimestamp(ts_hour) AS hour, sum(span_count) AS spans FROM usage_hourly"
    f" WHERE project_id = {{project:String}} AND {IN_HOURS} GROUP BY hour ORDER BY hour"
)
_BEGINNING: Final[dict[str, int | str]] = {
    "after_hour": 0,
    "after_trace": "",
    "after_ns": -(2**63),
    "after_span": "",
}
_SETTINGS: Final = {
    "max_result_bytes": _MOST_BYTES,
    "output_format_json_quote_64bit_integers": 0,
}
# What is read in order is not read faster by several threads, and needs the memory of one.
_ONE_THREAD: Final = {"max_threads": 1}
Place = Mapping[str, Any]
"""Parameters: hours, and between which keys."""


@dataclass(frozen=True, slots=True)
class _Asker:
    """Asks for rows as JSON arrays, of one time range."""

    reader: Reader
    common: Mapping[str, Any]
    sources: dict[int, Source] = field(default_factory=dict)

    def lines(
        self, statement: str, parameters: Place, settings: Mapping[str, int] = _ONE_THREAD
    ) -> list[bytes]:
        """The rows that a statement finds. Raises QueryError."""
        with self.reader.asking(statement):
            answer: bytes = self.reader.client.raw_query(
                statement,
                parameters=self.reader.bound({**self.common, **parameters}),
                settings={**self.reader.bounds.settings(), **_SETTINGS, **settings},
                fmt="JSONCompactEachRow",
            )
        return answer.splitlines()


class Slice:
    """Some spans, one after the other. `records` may be gone through again."""

    def __init__(self, asker: _Asker, lines: list[bytes], condition: str, place: Place) -> None:
        self._asker = asker
        self._lines = lines
        self._condition = condition
        self._place = place
        self._blobs: dict[tuple[str, str], str] | None = None

    def __len__(self) -> int:
        return len(self._lines)

    def records(self) -> Iterator[Record]:
        """Yield the spans. They are made one at a time: as objects they take ten times as much."""
        for line in self._lines:
            yield Record._make(orjson.loads(line))

    def contents(self, record: Record) -> Iterator[tuple[str, str]]:
        """Yield the long attributes of one of the spans: key and text.

        Raises QueryError where they cannot be read.
        """
        if not record.content_keys:
            return
        if self._blobs is None:
            found = map(orjson.loads, self._ask(_BLOBS, " LIMIT 1 BY trace_id, hash"))
            self._blobs = {(trace, number): text for trace, number, text in found}
        for key, form, numbers in zip(
            record.content_keys, record.content_forms, record.content_blobs, strict=True
        ):
            try:
                pieces = [self._blobs[record.trace_id, number] for number in numbers]
            except KeyError:
                raise StoreUnavailable(
                    f"the content of {key!r} in trace {record.trace_id} is not there any more"
                ) from None
            yield key, joined(form, pieces)

    def source(self, source_id: int) -> Source:
        """Return where one of the spans came from; empty where that is not known any more."""
        known = self._asker.sources
        if source_id not in known:
            if len(known) > _SOURCES_KEPT:
                known.clear()
            found = map(orjson.loads, self._ask(_SOURCES, " LIMIT 1 BY source_id"))
            known.update((each[0], Source._make(each)) for each in found)
            known.setdefault(source_id, Source(source_id, [], [], [], 0, [], "", "", "", [], 0, ""))
        return known[source_id]

    def _ask(self, head: str, tail: str) -> list[bytes]:
        """Ask about the spans of this slice alone."""
        return self._asker.lines(
            f"{head}{_FROM} AND {_UNTIL} AND {self._condition}){tail}",
            {**self._place, **_key(self._lines[-1], "until")},
        )


def slices(
    reader: Reader,
    time_range: TimeRange,
    *,
    filter: Filter | None = None,  # noqa: A002 - the name that users give
) -> Iterator[Slice]:
    """Yield the spans that started in the range and match the filter, sorted by the store's key.

    Raises QueryError, also after the first slices.
    """
    asker = _Asker(reader, time_range.parameters())
    condition = span_condition(filter) if filter is not None else None
    for window in _windows(reader, time_range):
        if condition is None or condition.sql == "1":
            yield from _Walk(asker, window).all()
        else:
            yield from _Walk(asker, window).matching(condition)


class _Walk:
    """Goes through a window, with as many rows in a slice as their sizes allow."""

    def __init__(self, asker: _Asker, window: Mapping[str, int]) -> None:
        self._asker = asker
        self._window = window
        self._rows = _FIRST_ROWS

    def all(self) -> Iterator[Slice]:
        """Yield all spans."""
        statement = f"SELECT {COLUMNS}{_FROM}{_ORDER}"
        place = {**self._window, **_BEGINNING}
        while True:
            rows = self._rows
            try:
                found = self._asker.lines(statement, {**place, "rows": rows})
            except QueryTooLarge as error:
                self._shrink(error)
                continue
            if found:
                yield Slice(self._asker, found, "1", place)
                place = {**self._window, **_key(found[-1], "after")}
            if len(found) < rows:
                return
            self._fit(found)

    def matching(self, condition: Condition) -> Iterator[Slice]:
        """Yield the spans that match."""
        place = {**self._window, **_BEGINNING}
        while True:
            keys = self._asker.lines(
                f"{_FIND} AND ({condition.sql}){_ORDER}",
                {**condition.parameters, **place, "rows": _KEYS},
                {},
            )
            yield from self._picked(keys, place)
            if len(keys) < _KEYS:
                return
            place = {**self._window, **_key(keys[-1], "after")}

    def _picked(self, keys: list[bytes], place: Place) -> Iterator[Slice]:
        statement = f"SELECT {COLUMNS}{_FROM} AND {_UNTIL} AND {_IS_PICKED}{_ORDER}"
        done = 0
        while done < len(keys):
            some = keys[done : done + self._rows]
            picked = [orjson.loads(key)[-1] for key in some]
            there = {**place, **_key(some[-1], "until"), "picked": picked}
            try:
                found = self._asker.lines(statement, {**there, "rows": 2 * _MOST_ROWS})
            except QueryTooLarge as error:
                self._shrink(error)
                continue
            if found:
                yield Slice(self._asker, found, _IS_PICKED, there)
                self._fit(found)
            done += len(some)
            place = {**self._window, **_key(some[-1], "after")}

    def _shrink(self, error: QueryTooLarge) -> None:
        cause = error.__cause__
        if self._rows == 1 or (isinstance(cause, Error) and cause.code in _TOO_SLOW):
            raise error
        self._rows = max(1, self._rows // _SMALLER)

    def _fit(self, found: list[bytes]) -> None:
        size = sum(map(len, found))
        self._rows = max(1, min(_MOST_ROWS, self._rows * 4, _SLICE_BYTES * len(found) // size))


def _key(line: bytes, name: str) -> dict[str, int | str]:
    ts_hour, trace_id, start_ns, span_id, *_ = orjson.loads(line)
    return {
        f"{name}_hour": ts_hour,
        f"{name}_trace": trace_id,
        f"{name}_ns": start_ns,
        f"{name}_span": span_id,
    }


def _windows(reader: Reader, time_range: TimeRange) -> Iterator[dict[str, int]]:
    """Yield the hours with spans in them, as ranges with about `_WINDOW_SPANS` each.

    What a filter says of whole traces is looked up a day around each, no further than asked.
    """
    asked = time_range.parameters()
    hours = [(row["hour"], row["spans"]) for row in reader.rows(_HOURS, asked)]
    while hours:
        first, spans = hours.pop(0)
        last = first
        while hours and spans + hours[0][1] <= _WINDOW_SPANS:
            last, more = hours.pop(0)
            spans += more
        yield {
            "window_from": first,
            "window_to": last,
            "from_hour": max(asked["from_hour"], first - _DAY),
            "to_hour": min(asked["to_hour"], last + _DAY),
        }
