"""The guards that count one thing: rates, retries, depth, sizes, names of tools."""

import threading
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard import (
    DepthGuard,
    FuzzyLoopGuard,
    OutputGuard,
    RateLimitGuard,
    RetryGuard,
)
from agentguard.errors import (
    ConfigurationError,
    DepthExceeded,
    LoopDetected,
    OutputTooLarge,
    RateLimitExceeded,
    RetryLimitExceeded,
)
from agentguard.guards.enforcement import proceed, settle
from agentguard.prices import Usage
from tests.guards.driving import begun, made, run_of


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def test_a_minute_holds_so_many_calls():
    """The call that is one too many within a minute is refused, and says when there is room."""
    clock = Clock()
    guard = RateLimitGuard(max_calls_per_minute=3, clock=clock)
    run = run_of(guard)
    for second in (0, 10, 20):
        clock.now = second
        made(run, "llm", "gpt-5")
    clock.now = 59.5
    with pytest.raises(RateLimitExceeded, match=r"in 0\.5 s"):
        made(run, "llm", "gpt-5")
    clock.now = 60
    other = run_of(guard)
    made(other, "llm", "gpt-5")
    made(other, "tool", "search")
    with pytest.raises(RateLimitExceeded):
        made(other, "llm", "gpt-5")


@given(st.lists(st.floats(0, 300), max_size=60), st.integers(1, 5))
def test_no_minute_holds_more(times, most):
    """However calls are spread, no sixty seconds hold more than the limit."""
    clock = Clock()
    guard = RateLimitGuard(max_calls_per_minute=most, clock=clock)
    went = []
    for when in sorted(times):
        clock.now = when
        try:
            made(run_of(guard), "llm", "m")
        except RateLimitExceeded:
            continue
        went.append(when)
    assert all(later - earlier >= 60 for earlier, later in zip(went, went[most:], strict=False))


def test_a_rate_holds_over_threads():
    """Threads that come at once get no more than the limit together."""
    guard, went = RateLimitGuard(max_calls_per_minute=10), []

    def work() -> None:
        with suppress(RateLimitExceeded):
            went.append(made(run_of(guard), "llm", "m"))

    threads = [threading.Thread(target=work) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(went) == 10


def test_a_failing_tool_may_be_tried_again_so_often():
    """A tool that failed may be called `max_retries` times more, and then not again."""
    run = run_of(RetryGuard(max_retries=3))
    for _ in range(4):
        made(run, "tool", "fetch", error="timed out")
    made(run, "tool", "other")
    with pytest.raises(RetryLimitExceeded, match="fetch failed 4 times in a row"):
        made(run, "tool", "fetch")


def test_what_works_may_fail_anew():
    """A call that works in between starts the count anew."""
    run = run_of(RetryGuard(max_retries=1))
    for _ in range(5):
        made(run, "tool", "fetch", error="timed out")
        made(run, "tool", "fetch", output="ok")
    assert run.stopped is None


def test_agents_call_agents_so_deep():
    """The agent that would be one too deep is refused; those side by side are not."""
    run = run_of(DepthGuard(max_depth=2))
    outer = begun(run, "agent", "planner")
    for _ in range(3):
        made(run, "agent", "worker", parent=outer)
    tool = begun(run, "tool", "delegate", parent=begun(run, "agent", "worker", parent=outer))
    with pytest.raises(DepthExceeded, match="planner -> worker -> helper"):
        begun(run, "agent", "helper", parent=tool)


def test_a_streamed_answer_is_cut():
    """A streamed answer ends at the limit."""
    run = run_of(OutputGuard(max_chars=100))
    call = begun(run, "llm", "gpt-5")
    call.streamed_chars = 100
    proceed(call)
    call.streamed_chars = 101
    with pytest.raises(OutputTooLarge, match="101 characters, 100 is the limit"):
        proceed(call)


@pytest.mark.parametrize(
    ("kind", "output", "tokens", "stops"),
    [
        ("tool", "x" * 101, 0, True),
        ("tool", "x" * 100, 0, False),
        ("tool", {"rows": ["x" * 100]}, 0, True),
        ("llm", {"text": "short", "tool_calls": []}, 11, True),
        ("llm", {"text": "short", "tool_calls": []}, 10, False),
        ("agent", "x" * 500, 0, False),
    ],
)
def test_too_large_an_answer_stops_the_run(kind, output, tokens, stops):
    """What gave back too much has ended; nothing follows it."""
    run = run_of(OutputGuard(max_chars=100, max_tokens=10))
    call = begun(run, kind, "x")
    call.output, call.usage = output, Usage(output=tokens)
    settle(call)
    assert (run.stopped is not None) == stops
    if stops:
        assert run.stopped.error is OutputTooLarge


def test_fuzzy_counts_names():
    """The call with which one tool comes too often in the window is refused."""
    run = run_of(FuzzyLoopGuard(max_tool_repeats=5, window=10))
    for number in range(4):
        made(run, "tool", "search", arguments={"query": number})
    made(run, "tool", "read")
    with pytest.raises(LoopDetected, match="search comes 5 times"):
        made(run, "tool", "search")


def test_fuzzy_finds_turns():
    """Two tools that take turns are found at the last of the turns."""
    run = run_of(FuzzyLoopGuard(max_tool_repeats=9, max_alternations=3, window=10))
    for name in ("a", "b", "a", "b", "a"):
        made(run, "tool", name)
    with pytest.raises(LoopDetected, match="a and b take turns, 3 times"):
        made(run, "tool", "b")


@pytest.mark.parametrize(
    "make",
    [
        lambda: RateLimitGuard(0),
        lambda: RateLimitGuard(5, kinds="llm"),
        lambda: OutputGuard(5, kinds="llm"),
        lambda: RetryGuard(True),
        lambda: FuzzyLoopGuard(max_alternations=6, window=10),
        lambda: RetryGuard(0),
        lambda: DepthGuard(0),
        lambda: OutputGuard(),
        lambda: OutputGuard(max_chars=0),
        lambda: FuzzyLoopGuard(max_tool_repeats=1),
        lambda: FuzzyLoopGuard(max_alternations=1),
        lambda: FuzzyLoopGuard(window=2),
    ],
)
def test_bad_arguments(make):
    """What cannot be used is said when the guard is made."""
    with pytest.raises(ConfigurationError):
        make()


def test_a_rate_that_is_only_watched_counts_what_is_made_all_the_same():
    """Where nothing is refused, calls beyond the limit are calls of the minute too."""
    clock = Clock()
    guard = RateLimitGuard(max_calls_per_minute=2, clock=clock, mode="observe")
    run = run_of(guard)
    (own,) = run.guards
    for second in (0, 10, 50):
        clock.now = second
        made(run, "llm", "m")
    clock.now = 65
    assert own.on_start(begun(run_of(), "llm", "m")) is not None
