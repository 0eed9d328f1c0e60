"""Ranges, their slices and their intervals: nothing lost, nothing twice."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import LONGEST, TimeRange
from agentguard_storage.queries.intervals import INTERVALS, MOST, edges, month_of, zone
from agentguard_storage.queries.slices import before, moment, newest_first, slice_parameters

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
HOUR = 3_600
times = st.datetimes(timezones=st.sampled_from([UTC, ZoneInfo("Asia/Kolkata")]))
ranges = st.tuples(times, times).filter(lambda pair: pair[0] < pair[1])


def nanosecond(at: datetime) -> int:
    """Since 1970, exactly."""
    return (at - EPOCH) // timedelta(microseconds=1) * 1_000


@pytest.mark.parametrize(
    ("start", "end", "said"),
    [
        (datetime(2026, 1, 1), datetime(2026, 1, 2, tzinfo=UTC), "time zone"),  # noqa: DTZ001
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 2), "time zone"),  # noqa: DTZ001
        (datetime(2026, 1, 2, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), "before it begins"),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC), "before it begins"),
    ],
)
def test_a_range_that_is_none_is_refused(start, end, said):
    """Nobody's local time is taken for UTC, and a reversed range is told."""
    with pytest.raises(InvalidQuery, match=said):
        TimeRange(start, end)


def test_a_request_is_about_a_year_at_most():
    """Ten years are refused where the asker is outside."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert TimeRange(start, start + LONGEST).of_a_request()
    with pytest.raises(InvalidQuery, match="400 days"):
        TimeRange(start, start + LONGEST + timedelta(microseconds=1)).of_a_request()


@given(ranges, st.integers(0, 48))
def test_a_range_becomes_numbers_that_the_columns_hold(pair, margin):
    """Hours enclose the range, with the margin, as far as there are hours; times are exact."""
    found = TimeRange(*pair).parameters(timedelta(hours=margin))
    first, last = nanosecond(pair[0]), nanosecond(pair[1]) - 1
    assert found["first_ns"] == max(first, -(2**63))
    assert found["last_ns"] == min(last, 2**63 - 1)
    for name in ("from_hour", "to_hour"):
        assert found[name] % HOUR == 0
        assert 0 <= found[name] < 2**32
    seconds = margin * HOUR
    assert found["from_hour"] <= max(first // 10**9 - seconds, 0)
    assert found["to_hour"] + HOUR > min(last // 10**9 + seconds, 2**32 - 1)


def _asked(time_range: TimeRange, most: int, held: list[int]) -> list[TimeRange]:
    """The pieces that are asked about, where each holds as many rows as `held` says."""
    pieces: list[TimeRange] = []

    def ask(part: TimeRange, missing: int) -> list[int]:
        there = held[len(pieces)] if len(pieces) < len(held) else 0
        pieces.append(part)
        return [0] * min(there, missing)

    rows = newest_first(time_range, most, ask)
    assert len(rows) == min(most, sum(held[: len(pieces)]))
    return pieces


@given(ranges, st.integers(1, 1_000), st.lists(st.integers(0, 100), max_size=5))
def test_a_range_is_asked_about_in_pieces(pair, most, held):
    """From the newest to the oldest, each ends where the one before began, at a whole hour."""
    pieces = _asked(TimeRange(*pair), most, held)
    assert pieces[0].end == pair[1]
    for newer, older in pairwise(pieces):
        assert older.end == newer.start
        assert nanosecond(newer.start) % (HOUR * 10**9) == 0
    assert pieces[-1].start == pair[0] or sum(held[: len(pieces)]) >= most
    assert len(pieces) < 25


_NOW = datetime(2026, 3, 31, 12, 30, tzinfo=UTC)
_MONTH = TimeRange(_NOW - timedelta(days=30), _NOW)


@pytest.mark.parametrize(
    ("held", "pieces"),
    [([51], 1), ([0, 51], 2), ([], 3), ([1], 3), ([10, 41], 2), ([2, 20, 51], 3)],
)
def test_pieces_are_as_wide_as_they_have_to_be(held, pieces):
    """A list that ends in the last hours reads no more; what is rare is found in few steps."""
    found = _asked(_MONTH, 51, held)
    assert found[0].end - found[0].start < timedelta(hours=7)
    assert len(found) == pieces


@given(ranges, st.integers(-(2**63), 2**63 - 1))
def test_the_rest_of_a_range_has_the_nanosecond_in_it(pair, at):
    """What is at a cursor's time is still asked for: others may have started with it."""
    whole = TimeRange(*pair)
    rest = before(whole, at)
    if rest is None:
        assert at < nanosecond(pair[0])
    else:
        assert rest.start == whole.start
        assert rest.end <= whole.end
        assert min(at, nanosecond(whole.end) - 1) < nanosecond(rest.end)


@given(st.integers(-(2**63), 2**63 - 1))
def test_a_nanosecond_is_a_moment(at):
    """The time is that of the microsecond before."""
    assert 0 <= at - nanosecond(moment(at)) < 1_000


def test_a_slice_has_margins_for_what_else_its_traces_hold():
    """Its own hours are exact; those for filters are wider, on each side as asked."""
    noon = datetime(2026, 3, 1, 12, tzinfo=UTC)
    found = slice_parameters(
        TimeRange(noon, noon + timedelta(hours=1, minutes=1)), later=timedelta(hours=24)
    )
    start = int(noon.timestamp())
    assert (found["slice_from"], found["slice_to"]) == (start, start + HOUR)
    assert (found["from_hour"], found["to_hour"]) == (start, start + 25 * HOUR)


@given(
    st.datetimes(datetime(1971, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.integers(1, 500 * HOUR),
    st.sampled_from(INTERVALS),
    st.sampled_from(["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Asia/Kathmandu"]),
)
def test_intervals_cover_the_range(start, seconds, interval, name):
    """They begin at or before its start, one after the other, and none begins after its end."""
    end = start + timedelta(seconds=seconds)
    assume(interval != "minute" or seconds < (MOST - 2) * 60)
    found = edges(TimeRange(start, end), interval, name)
    assert found == sorted(set(found))
    assert found[0] <= start.timestamp()
    assert found[-1] < end.timestamp()
    if len(found) > 1:
        assert found[1] > start.timestamp()
    for each in found:
        local = datetime.fromtimestamp(each, UTC).astimezone(ZoneInfo(name))
        assert local.second == 0
        if interval not in ("minute", "hour"):
            assert (local.hour, local.minute) == (0, 0)
        if interval == "week":
            assert local.weekday() == 0
        if interval == "month":
            assert local.day == 1


def test_too_many_intervals_are_refused():
    """A year of minutes is no answer that anybody reads."""
    start = datetime(2026, 1, 1, tzinfo=UTC)
    with pytest.raises(InvalidQuery, match="more than 2,000") as refused:
        edges(TimeRange(start, start + timedelta(days=365)), "minute", "UTC")
    assert refused.value.where == "interval"


def test_months_are_counted_back():
    """From January it goes on to the December before."""
    now = datetime(2026, 1, 31, 23, 30, tzinfo=timezone(timedelta(hours=1)))
    assert month_of("UTC", now).start == datetime(2026, 1, 1, tzinfo=UTC)
    assert month_of("UTC", now, 1).start == datetime(2025, 12, 1, tzinfo=UTC)
    assert month_of("UTC", now, 13).start == datetime(2024, 12, 1, tzinfo=UTC)


@pytest.mark.parametrize("name", ["", "../etc/passwd", "/etc/localtime", "x" * 5_000, "a\0b"])
def test_a_zone_that_there_is_not_is_refused(name):
    """Whatever is given as a name, only InvalidQuery comes of it."""
    with pytest.raises(InvalidQuery):
        zone(name)
