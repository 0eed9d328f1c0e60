"""The time of receipt never runs backwards."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from agentguard_collector.clock import SteadyClock


@given(st.lists(st.integers(0, 2**63 - 1), min_size=1))
def test_a_clock_that_jumps_never_takes_time_back(jumps: list[int]) -> None:
    """However the machine's clock is set, times only grow, and follow it where it is later."""
    wall = iter(jumps)
    clock = SteadyClock(lambda: next(wall))
    times = [clock.now() for _ in jumps]
    assert times == [max(jumps[: at + 1]) for at in range(len(jumps))]
