"""When budgets begin anew."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard_storage.control.periods import Period, bounds

ZONES = (
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "America/Santiago",
    "Africa/Cairo",
    "Asia/Beirut",
    "Asia/Kathmandu",
    "Australia/Lord_Howe",
    "Pacific/Apia",
)
INSTANTS = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001 - the zone is given beside
    datetime(2037, 1, 1),  # noqa: DTZ001
    timezones=st.just(UTC),
)


@given(st.sampled_from(list(Period)), st.sampled_from(ZONES), INSTANTS)
def test_every_instant_is_in_one_period(period, zone, now):
    """A period contains its instants, ends later than it began, and the next begins there."""
    start, end = bounds(period, zone, now)
    if end is None:
        assert period is Period.NONE
        return
    assert start <= now < end
    assert bounds(period, zone, start) == (start, end)
    assert bounds(period, zone, end - timedelta(microseconds=1)) == (start, end)
    assert bounds(period, zone, end)[0] >= end - timedelta(hours=1)


@given(st.sampled_from(ZONES), INSTANTS)
def test_days_begin_with_a_new_date(zone, now):
    """A day's first moment has its date, and the moment before has another."""
    start, _ = bounds(Period.DAY, zone, now)
    local = ZoneInfo(zone)
    assert start.astimezone(local).date() == now.astimezone(local).date()
    before = start - timedelta(microseconds=1)
    assert before.astimezone(local).date() != start.astimezone(local).date()


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", datetime(2027, 3, 28, 12, tzinfo=UTC), 23),
        ("Europe/Berlin", datetime(2027, 10, 31, 12, tzinfo=UTC), 25),
        ("Africa/Cairo", datetime(2024, 4, 26, 12, tzinfo=UTC), 23),
        ("Asia/Kathmandu", datetime(2027, 3, 28, 12, tzinfo=UTC), 24),
    ],
)
def test_days_are_as_long_as_the_clocks_say(zone, day, hours):
    """The day when clocks change has an hour less, or more."""
    start, end = bounds(Period.DAY, zone, day)
    assert end is not None
    assert end - start == timedelta(hours=hours)


def test_weeks_begin_on_monday_and_months_on_the_first():
    """In the zone of the budget."""
    now = datetime(2027, 1, 31, 23, 30, tzinfo=UTC)
    start, end = bounds(Period.MONTH, "Europe/Berlin", now)
    assert (start.isoformat(), end and end.isoformat()) == (
        "2027-01-31T23:00:00+00:00",
        "2027-02-28T23:00:00+00:00",
    )
    start, _ = bounds(Period.WEEK, "UTC", now)
    assert start.isoformat() == "2027-01-25T00:00:00+00:00"
