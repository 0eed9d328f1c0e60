"""Stops from outside of the process, told by a running collector."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from agentguard.config import Settings
from agentguard.guards.state import RunState
from agentguard.remote_stop import StopWatcher, watch
from tests.collector.conftest import Collector, Home, make_home, wait_until
from tests.collector.recording_store import RecordingStore, serve

AGENT = """
import sys, time
import agentguard
agentguard.init(service_name="crawler")
with agentguard.run("nightly", id="run-7") as run:
    print(format(run.span.get_span_context().trace_id, "032x"), flush=True)
    while run.stopped is None:
        time.sleep(0.01)
    print(run.stopped.guard, run.stopped.reason, flush=True)
"""
FORKS = """
import os, sys, time
import agentguard
agentguard.init(service_name="crawler")
with agentguard.run("nightly", id="run-7") as run:
    child = os.fork()
    if not child:
        print("ready", flush=True)
    while run.stopped is None:
        time.sleep(0.01)
    if not child:
        print(run.stopped.reason, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Home]:
    """A data directory with a control plane."""
    made = make_home(tmp_path_factory.mktemp("stops") / "data")
    yield made
    made.control.close()


@pytest.fixture(scope="module")
def dsn() -> Iterator[str]:
    """A store for the collectors."""
    with serve(RecordingStore()) as address:
        yield address


@pytest.fixture(scope="module")
def collector(home: Home, dsn: str) -> Iterator[Collector]:
    """A collector for all tests that leave it running."""
    started = home.start(dsn)
    yield started
    started.client.close()
    started.process.stop()


@pytest.fixture
def watcher(home: Home, collector: Collector) -> Iterator[StopWatcher]:
    """A watcher of the service `crawler` in this process."""
    found = watch(Settings(endpoint=collector.url, api_key=home.key, service_name="crawler"))
    assert found is not None
    yield found
    found.close()


@pytest.fixture(autouse=True)
def lifted(home: Home) -> Iterator[None]:
    """No stop outlives its test."""
    yield
    for order in home.control.stops.in_force(home.project_id):
        home.control.stops.lift(home.project_id, order.id)


def start(program: str, home: Home, collector: Collector) -> subprocess.Popen[str]:
    """An agent in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-c", program],
        env={
            **os.environ,
            "AGENTGUARD_ENDPOINT": collector.url,
            "AGENTGUARD_API_KEY": home.key,
        },
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("by", ["run", "trace", "service", "project"])
def test_a_stop_is_in_force_within_three_seconds(home, collector, by):
    """A running agent is stopped by its run, its trace, its service or its project."""
    process = start(AGENT, home, collector)
    assert process.stdout is not None
    trace_id = process.stdout.readline().strip()
    target = {"run": "run-7", "trace": trace_id, "service": "crawler", "project": ""}[by]
    what = "run" if by == "trace" else by
    home.control.stops.add(home.project_id, what, target, "enough")
    began = time.monotonic()
    said = process.stdout.readline()
    assert time.monotonic() - began < 3
    assert said.startswith("remote_stop ")
    assert said.rstrip().endswith("was stopped: enough")
    assert process.wait(20) == 0


def test_others_go_on(home, collector, watcher):
    """A stop of another run, service or project is not for this one."""
    run = RunState("mine", "run-1", service="crawler")
    stops = home.control.stops
    other = home.control.projects.create("others").id
    stops.add(home.project_id, "run", "run-2", "no")
    stops.add(home.project_id, "service", "indexer", "no")
    stops.add(other, "project", "", "no")
    wanted = RunState("meant", "run-2", service="crawler")
    wait_until(lambda: wanted.stopped, 5)
    assert run.stopped is None
    run.end()
    wanted.end()


def test_a_run_that_begins_under_a_stop_is_latched_at_once(home, watcher):
    """While a service is stopped, its runs do not begin; afterwards they do."""
    first = RunState("first", "run-1", service="crawler")
    stop = home.control.stops.add(home.project_id, "service", "crawler", "too dear")
    wait_until(lambda: first.stopped, 5)
    second = RunState("second", "run-2", service="crawler")
    assert second.stopped is not None
    assert second.stopped.cuts_streams
    home.control.stops.lift(home.project_id, stop.id)

    def one_begins() -> bool:
        third = RunState("third", "run-3", service="crawler")
        third.end()
        return third.stopped is None

    wait_until(one_begins, 5)
    assert first.stopped is not None
    first.end()
    second.end()


def test_stops_survive_a_restart_of_the_collector(home, dsn):
    """A collector that comes back is asked again, and tells of stops made meanwhile."""
    mine = home.start(dsn)
    found = watch(Settings(endpoint=mine.url, api_key=home.key))
    assert found is not None
    run = RunState("long", "run-9")
    port = mine.url.rpartition(":")[2]
    mine.process.kill()
    mine.client.close()
    home.control.stops.add(home.project_id, "run", "run-9", "while it was away")
    again = home.start(dsn, "--http-port", port)
    wait_until(lambda: run.stopped, 8)
    run.end()
    found.close()
    again.client.close()
    again.process.stop()


def test_the_child_of_a_fork_is_stopped_too(home, collector):
    """A forked process watches for itself."""
    process = start(FORKS, home, collector)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    home.control.stops.add(home.project_id, "run", "run-7", "all of you")
    assert process.stdout.readline().rstrip().endswith("all of you")
    assert process.wait(20) == 0


def test_an_interrupt_ends_the_process_at_once(home, collector):
    """Ctrl-C is clean while stops are watched: no hang, and no noise from our thread."""
    process = start(AGENT, home, collector)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, noise = process.communicate(timeout=10)
    assert noise.rstrip().endswith("KeyboardInterrupt")
    assert "agentguard-stops" not in noise


def test_closing_ends_the_thread(home, watcher):
    """After `close` no thread is left."""
    run = RunState("mine", "run-1")
    wait_until(lambda: watcher._thread is not None and watcher._thread.is_alive(), 5)
    thread = watcher._thread
    assert thread is not None
    watcher.close()
    wait_until(lambda: not thread.is_alive(), 5)
    run.end()


def test_closing_ends_a_watch_that_was_answered_before(home, watcher):
    """A connection that was used before is not made anew to wait on."""
    run = RunState("mine", "run-1")
    wait_until(lambda: watcher._as_of > 0, 5)
    thread = watcher._thread
    assert thread is not None
    watcher.close()
    wait_until(lambda: not thread.is_alive(), 5)
    run.end()


def test_without_a_key_nothing_is_watched(tmp_path: Path):
    """There is nobody to ask, and no thread."""
    assert watch(Settings()) is None
