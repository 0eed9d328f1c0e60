"""`TimeoutGuard`: how long a run may take, and how long it may do nothing."""

import asyncio
import gc
import os
import threading
import time
from weakref import ref

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentguard
from agentguard import Guard, TimeoutExceeded, TimeoutGuard
from agentguard.errors import ConfigurationError
from agentguard.guards.call import Call
from agentguard.guards.enforcement import admit, deadline_of, proceed, settle
from agentguard.guards.state import RunState


class Clock:
    """A clock that goes on when it is told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Seconds since some moment."""
        return self.now


def _run(clock: Clock, **limits: float) -> RunState:
    return RunState("r", "1", [TimeoutGuard(**limits, clock=clock)])


def _call(run: RunState) -> Call:
    call = Call("llm", "m", run)
    admit(call)
    return call


def _until(holds, bound: float = 5.0) -> bool:
    """Waits until it holds, and no longer than that many seconds."""
    patience = threading.Event()
    ends = time.monotonic() + bound
    while not holds() and time.monotonic() < ends:
        patience.wait(0.01)
    return bool(holds())


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf"), True, "60"])
@pytest.mark.parametrize("name", ["max_seconds", "idle_seconds"])
def test_a_time_is_a_number_above_zero(name, seconds):
    """Anything else is refused, by its name and value."""
    with pytest.raises(ConfigurationError, match=name):
        TimeoutGuard(**{name: seconds})


def test_some_limit_has_to_be_given():
    """A guard without any limit is a mistake, and says so."""
    with pytest.raises(ConfigurationError, match="limits nothing"):
        TimeoutGuard()


def test_what_begins_after_the_deadline_is_refused():
    """The run is stopped, with the figures, and stays stopped."""
    clock = Clock()
    run = _run(clock, max_seconds=60)
    settle(_call(run))
    clock.now += 61
    with pytest.raises(TimeoutExceeded, match="longer than 60 s"):
        _call(run)
    assert (run.stopped.limit, run.stopped.used, run.stopped.unit) == (60, 61, "seconds")
    assert run.stopped.cuts_streams


def test_a_streamed_answer_ends_at_the_deadline():
    """Its next piece is refused."""
    clock = Clock()
    run = _run(clock, max_seconds=60)
    call = _call(run)
    proceed(call)
    clock.now += 60
    with pytest.raises(TimeoutExceeded):
        proceed(call)


def test_what_comes_back_late_stops_the_run():
    """The late call has its answer; the next one is refused."""
    clock = Clock()
    run = _run(clock, max_seconds=60)
    call = _call(run)
    clock.now += 60
    settle(call)
    assert call.outcome == "ok"
    with pytest.raises(TimeoutExceeded):
        _call(run)


@given(st.lists(st.floats(0.01, 9.99), max_size=20))
def test_a_run_that_is_alive_is_not_idle(silences):
    """However long it takes in all, no silence that is short enough stops it."""
    clock = Clock()
    run = _run(clock, idle_seconds=10)
    for silence in silences:
        clock.now += silence
        settle(_call(run))
    assert run.stopped is None


def test_a_run_that_is_idle_is_stopped():
    """A silence that is too long is, and the message says which limit it was."""
    clock = Clock()
    run = _run(clock, max_seconds=600, idle_seconds=10)
    clock.now += 10.5
    with pytest.raises(TimeoutExceeded, match="nothing happened in the run for 10 s"):
        _call(run)
    assert (run.stopped.limit, run.stopped.used) == (10, 10.5)


def test_each_run_has_its_own_time():
    """The time of a run starts with it, and not with the guard that was given."""
    clock = Clock()
    guard = TimeoutGuard(60, clock=clock)
    clock.now += 100
    run = RunState("r", "1", [guard])
    settle(_call(run))
    assert deadline_of(run) == clock.now + 60


def test_the_nearest_deadline_of_the_runs_around_counts():
    """What runs inside has no more time than what it is inside of."""
    clock = Clock()
    outer = _run(clock, max_seconds=60)
    inner = RunState("i", "2", [TimeoutGuard(600, clock=clock)], outer)
    assert deadline_of(inner) == deadline_of(outer) == clock.now + 60


class Sundial(Guard):
    """Cannot say how late it is."""

    def deadline(self) -> float | None:
        """Raises."""
        raise ValueError("clouds")


@pytest.mark.parametrize(("on_error", "is_stopped"), [("open", False), ("closed", True)])
def test_a_guard_that_cannot_say_its_deadline_does_no_harm(on_error, is_stopped):
    """Its failure is nobody else's exception: the others' deadlines hold, or the run is over."""
    run = RunState("r", "1", [TimeoutGuard(60), Sundial(on_error=on_error)])
    ends = deadline_of(run)
    assert (run.stopped is not None) == is_stopped
    assert ends <= time.monotonic() if is_stopped else ends > time.monotonic() + 50


@pytest.mark.parametrize("mode", ["warn", "observe"])
def test_it_only_tells_where_it_is_not_enforced(mode):
    """Then nothing is refused, and calls are given no time-out."""
    clock = Clock()
    run = RunState("r", "1", [TimeoutGuard(60, mode=mode, clock=clock)])
    clock.now += 100
    settle(_call(run))
    assert (run.stopped, deadline_of(run)) == (None, None)


@pytest.mark.parametrize("limits", [{"max_seconds": 0.1}, {"idle_seconds": 0.1}])
def test_a_run_in_which_nothing_happens_is_stopped_on_time(limits):
    """Nobody has to call anything for that: a watchdog wakes up."""
    run = RunState("r", "1", [TimeoutGuard(**limits)])
    assert _until(lambda: run.stopped is not None)
    assert run.stopped.guard == "timeout"


def test_a_deadline_that_comes_first_is_kept_first():
    """A run that begins later and has less time is not kept waiting by one that has more."""
    later = RunState("later", "1", [TimeoutGuard(30)])
    sooner = RunState("sooner", "2", [TimeoutGuard(0.1)])
    assert _until(lambda: sooner.stopped is not None)
    assert later.stopped is None


def test_a_run_that_is_over_is_left_alone():
    """Its deadline passes, and nothing is stopped; nor does the watchdog keep it."""
    run = RunState("r", "1", [TimeoutGuard(0.1)])
    run.end()
    after = RunState("after", "2", [TimeoutGuard(0.2)])
    assert _until(lambda: after.stopped is not None)
    assert run.stopped is None
    gone = ref(run)
    del run
    gc.collect()
    assert gone() is None


async def test_a_task_that_waits_is_cancelled_on_time():
    """Whatever an async run waits for, it leaves the run as TimeoutExceeded."""
    began = time.monotonic()
    with (
        pytest.raises(TimeoutExceeded, match=r"longer than 0\.2 s"),
        agentguard.run("r", guards=[TimeoutGuard(0.2)]),
    ):
        await asyncio.Event().wait()
    assert time.monotonic() - began < 5
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_a_task_that_somebody_else_cancels_stays_cancelled():
    """A cancellation from outside is not taken for the run's own."""

    async def work() -> None:
        with agentguard.run("r", guards=[TimeoutGuard(30)]):
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_keeps_its_deadlines():
    """A child has a watchdog of its own, for the runs that it has from its parent too."""
    run = RunState("r", "1", [TimeoutGuard(0.5)])
    child = os.fork()
    if child == 0:
        kept = _until(lambda: run.stopped is not None)
        os._exit(0 if kept else 1)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
