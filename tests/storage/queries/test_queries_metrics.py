"""Any measure by any dimension over time, against the same sums in plain Python."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentguard_storage.filters import parse
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.measures import DIMENSIONS, MEASURES, USAGE_DIMENSIONS
from agentguard_storage.queries.metrics import MeasuredRow, measure
from agentguard_storage.queries.reader import Reader
from tests.storage.queries.known_spans import HOSTILE, HOURS, START, Known, known_spans, requests

PROJECT = "prj_measured"
SPANS = known_spans(1)
ALL = TimeRange(START - timedelta(hours=1), START + timedelta(hours=HOURS + 12))

SUMS: dict[str, Callable[[Known], int]] = {
    "count": lambda _: 1,
    "errors": lambda span: span.status == "error",
    "llm_calls": lambda span: span.kind == "llm",
    "model_calls": lambda span: span.kind == "llm",
    "tool_calls": lambda span: span.kind == "tool",
    "unpriced_calls": lambda span: span.unpriced,
    "tokens": lambda span: span.tokens,
    "input_tokens": lambda span: span.input_tokens,
    "cache_read_tokens": lambda span: span.cache_read_tokens,
    "cache_write_tokens": lambda _: 0,
    "output_tokens": lambda span: span.output_tokens,
    "reasoning_tokens": lambda _: 0,
    "guard_stops": lambda span: span.guard_action == "stop",
}


@pytest.fixture(scope="module")
def reader(store) -> Reader:
    """Asks about the known spans, beside which another project has the same and more."""
    store.insert(requests(SPANS), project=PROJECT)
    store.insert(requests([*SPANS, *known_spans(2)]), project="prj_not_measured")
    return store.reader(PROJECT)


def plainly(name: str, spans: Sequence[Known]) -> object:
    """A measure as Python takes it."""
    if name in SUMS:
        return sum(map(SUMS[name], spans))
    match name:
        case "cost":
            cost = sum((span.cost for span in spans if span.cost is not None), Decimal(0))
            return None if not cost and any(span.unpriced for span in spans) else cost
        case "error_rate":
            return sum(s.status == "error" for s in spans) / len(spans) if spans else None
        case "traces":
            return len({span.trace_id for span in spans})
        case "duration_max":
            return max((span.duration_ns for span in spans), default=None)
        case "duration_avg":
            return pytest.approx(sum(s.duration_ns for s in spans) / len(spans)) if spans else None
        case _:
            share = int(name.removeprefix("duration_p")) / 100
            return pytest.approx(quantile(sorted(s.duration_ns for s in spans), share))


def quantile(values: list[int], share: float) -> float | None:
    """The value below which so great a share lies, between two neighbours in proportion."""
    if not values:
        return None
    place = share * (len(values) - 1)
    low = int(place)
    above = values[min(low + 1, len(values) - 1)]
    return values[low] + (above - values[low]) * (place - low)


def value_of(span: Known, dimension: str) -> str:
    """What a span has in a dimension."""
    return span.tier if dimension == "attr.customer.tier" else str(getattr(span, dimension))


def begin_of(at: datetime, interval: str, zone: ZoneInfo) -> datetime:
    """When the interval began that a time is in."""
    local = at.astimezone(zone)
    if interval in ("minute", "hour"):
        return local.replace(
            minute=0 if interval == "hour" else local.minute, second=0, microsecond=0
        ).astimezone(UTC)
    day = local.replace(hour=0, minute=0, second=0, microsecond=0, fold=0)
    if interval == "week":
        day -= timedelta(days=day.weekday())
    if interval == "month":
        day = day.replace(day=1)
    return day.astimezone(UTC)


def moments() -> st.SearchStrategy[datetime]:
    """Times around the spans, many of them whole hours."""
    seconds = st.integers(0, (HOURS + 12) * 3_600)
    hours = st.integers(0, HOURS + 12).map(lambda hour: hour * 3_600)
    first = START.replace(minute=0, second=0)
    return st.one_of(hours, seconds).map(lambda second: first + timedelta(seconds=second))


ranges = st.tuples(moments(), moments()).filter(lambda pair: pair[0] < pair[1])
dimension_names = [*DIMENSIONS, "attr.customer.tier"]


@settings(deadline=None, max_examples=30)
@given(
    measures=st.lists(st.sampled_from(sorted(MEASURES)), min_size=1, max_size=4, unique=True),
    by=st.lists(
        st.one_of(st.sampled_from(dimension_names), st.sampled_from(sorted(USAGE_DIMENSIONS))),
        max_size=3,
        unique=True,
    ),
    interval=st.sampled_from([None, "hour", "day", "week", "month"]),
    zone=st.sampled_from(["UTC", "Europe/Berlin", "Asia/Kolkata", "America/New_York"]),
    during=ranges,
    filtered=st.sampled_from(["", "kind:llm", "-service:crawler"]),
)
def test_measures_are_those_of_plain_python(reader, measures, by, interval, zone, during, filtered):
    """Whatever is asked and wherever it is read from, groups and intervals have the right sums."""
    keep = {
        "": lambda _: True,
        "kind:llm": lambda span: span.kind == "llm",
        "-service:crawler": lambda span: span.service != "crawler",
    }[filtered]
    start, end = during
    first, after = (int(at.timestamp()) * 10**9 for at in during)
    spans = [span for span in SPANS if first <= span.start_ns < after and keep(span)]
    expected: dict[tuple[str, ...], dict[datetime | None, list[Known]]]
    expected = defaultdict(lambda: defaultdict(list))
    for span in spans:
        at = datetime.fromtimestamp(span.start_ns // 10**9, UTC)
        begin = begin_of(at, interval, ZoneInfo(zone)) if interval else None
        expected[tuple(value_of(span, each) for each in by)][begin].append(span)
    if not by:
        expected[()] = expected[()]
    found = measure(
        reader, TimeRange(start, end), measures=measures, by=by, interval=interval,
        timezone=zone, filter=parse(filtered), limit=100,
    )  # fmt: skip
    shown = {row.group for row in found.rows}
    assert shown.issubset({*expected, None})
    assert len(shown - {None}) == min(len(expected), 100)
    for row in found.rows:
        if row.group is not None:
            there = expected[row.group][row.at]
            assert list(row.values) == [plainly(name, there) for name in measures]


def rows_by_group(rows: Sequence[MeasuredRow]) -> dict[tuple[str, ...] | None, tuple[object, ...]]:
    """The values of each group."""
    return {row.group: row.values for row in rows}


def test_groups_beyond_the_limit_are_one(reader):
    """The largest groups come first, and everything else is one row, so that nothing is lost."""
    whole = measure(reader, ALL, measures=["count"]).rows[0].values[0]
    for by in (["model"], ["session", "name"]):
        everything = measure(reader, ALL, measures=["count", "cost"], by=by, limit=100).rows
        assert [row.values[0] for row in everything] == sorted(
            (row.values[0] for row in everything), reverse=True
        )
        cut = measure(reader, ALL, measures=["count", "cost"], by=by, limit=2).rows
        assert cut[:2] == everything[:2]
        assert cut[2].group is None
        assert sum(row.values[0] for row in cut) == whole
        assert cut[2].values[1] == sum(row.values[1] or 0 for row in everything[2:])


def test_percentiles_of_all_others_are_their_own(reader):
    """What cannot be added up is measured anew over everything beyond the limit."""
    found = rows_by_group(
        measure(reader, ALL, measures=["count", "duration_p90"], by=["kind"], limit=1).rows
    )
    [[largest, _], _] = found.items()
    others = sorted(span.duration_ns for span in SPANS if span.kind != largest[0])
    assert found[None] == (len(others), pytest.approx(quantile(others, 0.9)))


def test_every_interval_has_a_row(reader):
    """A time without spans is there, with nothing in it; rows are in order of time."""
    found = measure(
        reader, ALL, measures=["count", "error_rate", "cost"], by=["tool"], interval="hour"
    )
    hours = int((ALL.end - ALL.start.replace(minute=0, second=0)) / timedelta(hours=1)) + 1
    assert len(found.rows) == 3 * hours
    of_first = [row for row in found.rows if row.group == found.rows[0].group]
    assert [row.at for row in of_first] == sorted({row.at for row in found.rows})
    assert all(row.values == (0, None, Decimal(0)) for row in found.rows if not row.values[0])


def test_days_are_those_of_the_time_zone(reader):
    """Where clocks go forward a day has 23 hours, and begins at midnight all the same."""
    found = measure(reader, ALL, measures=["count"], interval="day", timezone="Europe/Berlin")
    begins = [row.at for row in found.rows]
    assert {at.astimezone(ZoneInfo("Europe/Berlin")).hour for at in begins} == {0}
    assert timedelta(hours=23) in {b - a for a, b in pairwise(begins)}


def test_values_that_look_like_something_else_are_values(reader):
    """Quotes, control characters and placeholders in a group's name are its name."""
    found = measure(reader, ALL, measures=["count"], by=["name", "session"], interval="month")
    assert (HOSTILE, HOSTILE) in {row.group for row in found.rows}


def test_nothing_is_measured_of_nothing(reader):
    """An empty time has one row of zeros, and no groups."""
    empty = TimeRange(START - timedelta(days=9), START - timedelta(days=8))
    [row] = measure(reader, empty, measures=sorted(MEASURES)).rows
    assert dict(zip(sorted(MEASURES), row.values, strict=True)) == {
        name: MEASURES[name].empty for name in MEASURES
    }
    assert measure(reader, empty, measures=["count"], by=["model"], interval="day").rows == []


@pytest.mark.parametrize(
    ("asked", "where"),
    [
        ({"measures": []}, "measures"),
        ({"measures": ["cost", "sum(1)"]}, "measures"),
        ({"measures": ["count"], "by": ["1; DROP TABLE spans"]}, "by"),
        ({"measures": ["count"], "by": ["attr."]}, "by"),
        ({"measures": ["count"], "by": ["attr." + "x" * 300]}, "by"),
        ({"measures": ["count"], "by": ["model", "model"]}, "by"),
        ({"measures": ["count"], "by": ["model", "kind", "tool", "user"]}, "by"),
        ({"measures": ["count"], "interval": "second"}, "interval"),
        ({"measures": ["count"], "interval": "minute"}, "interval"),
        ({"measures": ["count"], "interval": "day", "timezone": "Mars/Olympus"}, "timezone"),
        ({"measures": ["count"], "interval": "day", "timezone": "../etc/passwd"}, "timezone"),
        ({"measures": ["count"], "limit": 0}, "limit"),
        ({"measures": ["count"], "limit": 10**9}, "limit"),
    ],
)
def test_what_cannot_be_measured_is_refused(reader, asked, where):
    """A wrong name or number is told, with the parameter that has it."""
    with pytest.raises(InvalidQuery) as refused:
        measure(reader, ALL, **asked)
    assert refused.value.where == where
