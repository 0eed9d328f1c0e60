"""What is advised to whoever spends a budget."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard.budgets.spend import Limits, Spend
from agentguard_storage.queries.advice import PerHour, advise

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
MIDNIGHT = NOW + timedelta(hours=12)
IDLE = PerHour()


@pytest.mark.parametrize(
    ("spent", "held", "advice"),
    [(0, 0, "go_on"), (79, 0, "go_on"), (80, 0, "slow_down"), (60, 20, "slow_down"),
     (99, 0, "slow_down"), (100, 0, "stop"), (90, 10, "stop"), (140, 0, "stop")],
)  # fmt: skip
def test_the_share_that_is_gone_decides(spent: int, held: int, advice: str):
    """From 80% on it is time to slow down, and to stop where nothing is left; held counts."""
    found = advise(Limits(100), Spend(spent), Spend(held), IDLE, now=NOW)
    assert found.advice == advice
    assert found.left == Limits(max(0, 100 - spent - held))


def test_a_rate_that_does_not_last_slows_down():
    """From the half on it is time to slow down where the rest ends before the budget resets."""
    asked = {"now": NOW, "resets_at": MIDNIGHT}
    fast = advise(Limits(100), Spend(60), Spend(), PerHour(calls=10), **asked)
    assert fast.advice == "slow_down"
    assert fast.runs_out_at == NOW + timedelta(hours=4)
    slow = advise(Limits(100), Spend(60), Spend(), PerHour(calls=1), **asked)
    assert slow.advice == "go_on"


def test_the_tightest_limit_counts():
    """Of several limits the one with the least left decides, and the first to end is named."""
    limits = Limits(calls=100, tokens=1_000, pico_usd=10**12)
    rate = PerHour(calls=1, tokens=1, pico_usd=10**12)
    found = advise(limits, Spend(10, 850, 0), Spend(), rate, now=NOW)
    assert (found.advice, found.limited_by) == ("slow_down", "tokens")
    assert found.runs_out_first == "usd"
    assert found.runs_out_at == NOW + timedelta(hours=1)


COUNTS = st.integers(0, 10**18)
SPENDS = st.builds(Spend, COUNTS, COUNTS, COUNTS)
RATES = st.floats(0, 1e18)


@given(
    st.builds(Limits, *[st.none() | COUNTS] * 3),
    SPENDS,
    SPENDS,
    st.builds(PerHour, RATES, RATES, RATES),
    st.none() | st.just(MIDNIGHT),
)
def test_any_figures(limits, spent, held, rate, resets_at):
    """Whatever the figures, what is left is not negative, and stop means that nothing is."""
    found = advise(limits, spent, held, rate, now=NOW, resets_at=resets_at)
    known = [rest for rest in found.left if rest is not None]
    assert all(rest >= 0 for rest in known)
    assert (found.advice == "stop") is (0 in known)
    assert found.runs_out_at is None or found.runs_out_at >= NOW
