"""Any measure, by any dimension, over time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from agentguard_storage.filters import Filter, span_condition
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import IN_HOURS, STARTED, TimeRange
from agentguard_storage.queries.intervals import Interval, edges, whole_hours, zone
from agentguard_storage.queries.measures import (
    OF_MODELS,
    SUMS,
    USAGE_COLUMNS,
    USAGE_DIMENSIONS,
    Measure,
    Value,
    dimensions,
    measures_named,
)
from agentguard_storage.queries.reader import Reader

__all__ = ["MOST_GROUPS", "Measured", "MeasuredRow", "measure"]

MOST_GROUPS: Final = 100
_HOUR: Final = 3_600
_HOUR_NS: Final = _HOUR * 10**9
_LAST_HOUR: Final = (2**32 - 1) // _HOUR


@dataclass(frozen=True, slots=True)
class MeasuredRow:
    """What was measured of one group in one interval.

    `at` is when the interval begins; None where all of the range is one. `group` has a value for
    each dimension, and is None for all groups beyond the limit together.
    """

    at: datetime | None
    group: tuple[str, ...] | None
    values: tuple[Value, ...]


@dataclass(frozen=True, slots=True)
class Measured:
    """An answer: rows by group, the largest first, and within a group by time."""

    measures: tuple[str, ...]
    by: tuple[str, ...]
    rows: list[MeasuredRow]


def measure(
    reader: Reader,
    time_range: TimeRange,
    *,
    measures: Sequence[str],
    by: Sequence[str] = (),
    interval: Interval | None = None,
    timezone: str = "UTC",
    filter: Filter | None = None,  # noqa: A002  what users call it
    limit: int = 20,
) -> Measured:
    """Measure the spans that started in the range and match the filter.

    `measures` and `by` name entries of `MEASURES` and `DIMENSIONS` (or `attr.` and an attribute's
    key). The `limit` groups with most of the first measure have rows, the others are one group.
    Every group has a row for each interval; without dimensions there is one group. Percentiles are
    estimates from samples of 8,192 spans; `traces` is exact up to 65,536. What is summed up by the
    hour is read from there: it is still known when the spans' retention is over.

    Raises InvalidQuery, QueryTooLarge, StoreUnavailable.
    """
    chosen = measures_named(measures)
    if not 1 <= limit <= MOST_GROUPS:
        raise InvalidQuery(f"a limit is from 1 to {MOST_GROUPS}", where="limit")
    begins = edges(time_range, interval, zone(timezone)) if interval else []
    source = _source(time_range, chosen, by, begins, filter)
    if not by:
        rows = _fold(reader, source, [], begins)
        return Measured(tuple(measures), (), _filled(chosen, rows, [()], begins))
    ranked = _rank(reader, source, chosen[0].rank, limit + 1)
    top: list[tuple[str, ...] | None] = [_group(row, len(by)) for row in ranked[:limit]]
    if len(ranked) > limit:
        top.append(None)
    if begins or None in top:
        ranked = _fold(reader, source, [group for group in top if group is not None], begins)
    return Measured(tuple(measures), tuple(by), _filled(chosen, ranked, top, begins))


@dataclass(frozen=True, slots=True)
class _Source:
    """Where rows come from, and what is made of them: pieces of a statement."""

    rows: str
    groups: Sequence[str]
    aggregates: str
    second: str
    parameters: Mapping[str, Any]

    def named_groups(self) -> list[str]:
        return [f"{sql} AS g{number}" for number, sql in enumerate(self.groups)]


def _source(
    time_range: TimeRange,
    chosen: Sequence[Measure],
    by: Sequence[str],
    begins: list[int],
    filter: Filter | None,  # noqa: A002
) -> _Source:
    sums = sorted({name for each in chosen for name in each.sums})
    columns = {name: sql for each in chosen for name, sql in each.columns.items()}
    groups, keys = dimensions(by)
    parameters: dict[str, Any] = {**time_range.parameters(), **keys}
    condition = span_condition(filter) if filter is not None else None
    every = condition is None or condition.sql == "1"
    first = -(-parameters["first_ns"] // _HOUR_NS) * _HOUR
    after = min((parameters["last_ns"] + 1) // _HOUR_NS, _LAST_HOUR) * _HOUR
    if (
        every and not columns and USAGE_DIMENSIONS.issuperset(by)
        and whole_hours(begins[1:]) and 0 <= first < after
    ):  # fmt: skip
        parameters |= {"first_hour": first, "after_hour": after}
        return _from_usage(sums, by, parameters)
    aggregates = [f"sum({SUMS[name][0]}) AS m_{name}" for name in sums]
    aggregates += [f"{sql} AS m_{name}" for name, sql in columns.items()]
    return _Source(
        f"spans WHERE {_OF_RANGE} AND ({condition.sql if condition else 1})",
        groups,
        ", ".join(aggregates),
        _SECOND,
        parameters | dict(condition.parameters if condition else {}),
    )


_OF_RANGE: Final = f"project_id = {{project:String}} AND {IN_HOURS} AND {STARTED}"
_OF_WHOLE_HOURS: Final = (
    "project_id = {project:String} AND ts_hour >= toDateTime({first_hour:UInt32})"
    " AND ts_hour < toDateTime({after_hour:UInt32})"
)
# In these words, so that the engine reads the projection of that name in its place.
_BY_MODEL: Final = (
    f"(SELECT project_id, ts_hour, kind, provider, model,"
    f" {', '.join(f'sum(u.{name}) AS {name}' for name in USAGE_COLUMNS)}"
    f" FROM usage_hourly AS u WHERE {_OF_WHOLE_HOURS}"
    " GROUP BY project_id, ts_hour, kind, provider, model)"
)
_SECOND: Final = "intDiv(toUnixTimestamp64Nano(spans.start_time), 1000000000)"


def _from_usage(sums: Sequence[str], by: Sequence[str], parameters: dict[str, Any]) -> _Source:
    """Whole hours are summed up already; only the range's ends are read span by span."""
    # Grouped by numbers of a dictionary, a million rows take half the time that texts would.
    hours = [f"{name} AS d{number}" for number, name in enumerate(by)]
    hours += ["toInt64(toUnixTimestamp(ts_hour)) AS second"]
    hours += [f"{SUMS[name][1]} AS a_{name}" for name in sums]
    ends = [f"toLowCardinality(toString({name})) AS d{number}" for number, name in enumerate(by)]
    ends += [f"{_SECOND} AS second"]
    ends += [f"{SUMS[name][0]} AS a_{name}" for name in sums]
    usage = _BY_MODEL if OF_MODELS.issuperset(by) else "usage_hourly"
    rows = f"SELECT {', '.join(hours)} FROM {usage} WHERE {_OF_WHOLE_HOURS}"
    if (
        parameters["first_ns"] < parameters["first_hour"] * 10**9
        or parameters["last_ns"] >= parameters["after_hour"] * 10**9
    ):
        rows += (
            f" UNION ALL SELECT {', '.join(ends)} FROM spans WHERE {_OF_RANGE}"
            " AND (ts_hour < toDateTime({first_hour:UInt32})"
            " OR ts_hour >= toDateTime({after_hour:UInt32}))"
        )
    return _Source(
        f"({rows})",
        [f"d{number}" for number in range(len(by))],
        ", ".join(f"sum(a_{name}) AS m_{name}" for name in sums),
        "second",
        parameters,
    )


def _rank(reader: Reader, source: _Source, rank: str, limit: int) -> list[dict[str, Any]]:
    names = ", ".join(f"g{number}" for number in range(len(source.groups)))
    return reader.rows(
        f"SELECT {', '.join(source.named_groups())}, {source.aggregates} FROM {source.rows}"
        f" GROUP BY {names} ORDER BY {rank} DESC, {names} LIMIT {{limit:UInt32}}",
        {**source.parameters, "limit": limit},
    )


def _fold(
    reader: Reader, source: _Source, top: list[tuple[str, ...]], begins: list[int]
) -> list[dict[str, Any]]:
    """Measure each of the top groups, and the others as one, in each interval."""
    parameters = dict(source.parameters)
    selected, names = [], []
    if begins:
        selected.append(f"roundDown({source.second}, {{begins:Array(Int64)}}) AS at")
        names.append("at")
        parameters["begins"] = begins
    if top:
        kinds = ", ".join("String" for _ in source.groups)
        selected.append(
            f"tuple({', '.join(source.groups)}) NOT IN {{top:Array(Tuple({kinds}))}} AS other"
        )
        names.append("other")
        for number, sql in enumerate(source.groups):
            selected.append(f"if(other, '', {sql}) AS g{number}")
            names.append(f"g{number}")
        parameters["top"] = top
    grouped = f" GROUP BY {', '.join(names)}" if names else ""
    return reader.rows(
        f"SELECT {', '.join([*selected, source.aggregates])} FROM {source.rows}{grouped}",
        parameters,
    )


def _group(row: Mapping[str, Any], size: int) -> tuple[str, ...] | None:
    return None if row.get("other") else tuple(row[f"g{number}"] for number in range(size))


def _filled(
    chosen: Sequence[Measure],
    rows: Sequence[Mapping[str, Any]],
    groups: Sequence[tuple[str, ...] | None],
    begins: list[int],
) -> list[MeasuredRow]:
    """The rows in the order of the groups, with empty ones for intervals without spans."""
    size = len(groups[0] or ()) if groups else 0
    known = {(row.get("at"), _group(row, size)): row for row in rows}
    empty = tuple(each.empty for each in chosen)
    times: Sequence[int | None] = begins or [None]
    return [
        MeasuredRow(
            None if at is None else datetime.fromtimestamp(at, UTC),
            group,
            tuple(each.value(row) for each in chosen) if (row := known.get((at, group))) else empty,
        )
        for group in groups
        for at in times
    ]
