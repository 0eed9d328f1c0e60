"""How figures, times and other people's text come out in the terminal."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard.cli.errors import CliError
from agentguard.cli.figures import ago, cost, elapsed
from agentguard.cli.terminal import clean, jsonable, plain
from agentguard.cli.when import EARLIEST, LATEST, duration, moment

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


@given(st.text())
def test_cleaned_text_cannot_drive_a_terminal(text):
    """No control character and no bidirectional override survives, whatever was sent."""
    cleaned = clean(text)
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in cleaned)
    assert not set(cleaned) & set("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200f")


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1))
def test_square_brackets_are_text(text):
    """What looks like rich markup is shown as it was sent."""
    assert plain(text).plain == text


@pytest.mark.parametrize(
    ("nanoseconds", "shown"),
    [
        (0, "0 us"),
        (850_000, "850 us"),
        (1_500_000, "1.5 ms"),
        (999_400_000, "999 ms"),
        (999_900_000, "1 s"),
        (1_250_000_000, "1.25 s"),
        (59_999_000_000, "1m 00s"),
        (125_000_000_000, "2m 05s"),
        (3_723_000_000_000, "1h 02m"),
        (-1_500_000, "-1.5 ms"),
    ],
)
def test_durations_have_three_digits_and_a_fitting_unit(nanoseconds, shown):
    """A duration is shown in the unit that reads best, also next to where units change."""
    assert elapsed(nanoseconds) == shown


@pytest.mark.parametrize(
    ("amount", "unpriced", "shown"),
    [
        (None, 0, ""),
        (None, 2, "?"),
        (Decimal(0), 0, "$0.00"),
        (Decimal("1234.567"), 0, "$1,234.57"),
        (Decimal("0.0123456"), 0, "$0.01235"),
        (Decimal("0.00000123456"), 0, "$0.000001235"),
        (Decimal("0.5"), 1, "$0.50 +?"),
    ],
)
def test_an_unknown_price_is_never_shown_as_nothing(amount, unpriced, shown):
    """Cents from a dollar up, four digits below, and a mark where calls have no price."""
    assert cost(amount, unpriced).plain == shown


def test_times_are_spans_before_now_or_iso():
    """`2d` counts back from now; ISO times without a zone are UTC."""
    assert moment("2d", NOW) == NOW - timedelta(days=2)
    assert moment("2026-01-31T12:00:00", NOW) == datetime(2026, 1, 31, 12, tzinfo=UTC)
    assert moment("2026-01-31T12:00:00+02:00", NOW) == datetime(2026, 1, 31, 10, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "h", "1y", "-1h", "1.5h", "yesterday", "9999999999d"])
def test_what_is_no_time_is_refused_with_a_hint(text):
    """A time that cannot be read is a usage error that shows what can."""
    with pytest.raises(CliError) as caught:
        moment(text, NOW)
    assert caught.value.exit_code == 2
    assert "1h" in caught.value.hint
    with pytest.raises(CliError):
        duration(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9999w", EARLIEST),
        ("0001-01-01T00:00+14:00", EARLIEST),
        ("9999-12-31T23:59-14:00", LATEST),
    ],
)
def test_times_beyond_the_store_are_its_edges(text, expected):
    """A time that the store cannot hold means its first or last one, and is not a crash."""
    assert moment(text, NOW) == expected


def test_ages_are_short():
    """Ages use the largest unit that fits, for the past and for the future."""
    assert ago(NOW - timedelta(minutes=5), NOW) == "5m ago"
    assert ago(NOW + timedelta(days=3), NOW) == "in 3d"
    assert ago(None, NOW) == ""


def test_json_is_strict():
    """Money, times and numbers that JSON lacks come out as strings."""
    value = {"cost": Decimal("0.10"), "nan": float("nan"), "at": NOW, "raw": b"\x01"}
    expected = {"cost": "0.10", "nan": "nan", "at": "2026-03-01T12:00:00+00:00", "raw": "01"}
    assert json.loads(json.dumps(jsonable(value), allow_nan=False)) == expected
