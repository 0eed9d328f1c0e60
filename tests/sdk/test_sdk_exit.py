"""Leaving the process: nothing is left behind, and nothing holds it back."""

import re

import pytest

MAKE = """
import agentguard
handle = agentguard.init()
{before}
for number in range(600):
    with agentguard.tool_span(str(number)):
        pass
{after}
"""

JOINED = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider(shutdown_on_exit=False))
"""


def make(before: str = "", after: str = "") -> str:
    """A program that makes 600 spans and leaves."""
    return MAKE.format(before=before, after=after)


@pytest.mark.parametrize("first", ["", JOINED], ids=["created", "joined"])
def test_everything_is_sent_at_exit(program, sink, first):
    """A program that just ends has sent every span, with a provider of ours or of others."""
    done = program(first + make(), AGENTGUARD_ENDPOINT=sink.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(set(sink.names)) == len(sink.names) == 600


def test_everything_is_sent_after_a_crash(program, sink):
    """A program that ends with an exception has sent every span too, and its own trace only."""
    done = program(make(after="raise ValueError('mine')"), AGENTGUARD_ENDPOINT=sink.url)
    assert done.returncode == 1
    assert done.stderr.count("Traceback") == 1
    assert len(sink.names) == 600


def test_unreachable_collector(program, refusing):
    """Nobody listening costs a program no more than the bound and one line."""
    done = program(make(), AGENTGUARD_ENDPOINT=refusing, AGENTGUARD_API_KEY="agk_hush")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert re.match(r"\d+ spans were not delivered to .* \(connection refused\)", line)
    assert "hush" not in done.stderr
    assert done.seconds < 5 + 5


@pytest.mark.parametrize("first", ["", JOINED], ids=["created", "joined"])
def test_black_hole(program, black_hole, first):
    """A collector that never answers holds a program back for the bound and no longer."""
    done = program(first + make(), AGENTGUARD_ENDPOINT=black_hole, AGENTGUARD_FLUSH_TIMEOUT="1")
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert line.startswith("600 spans were not delivered to ")
    assert done.seconds < 1 + 5


def test_default_bound(program, black_hole):
    """Left alone, the bound is five seconds."""
    done = program(make(), AGENTGUARD_ENDPOINT=black_hole)
    assert done.returncode == 0
    assert 5 <= done.seconds < 5 + 5


def test_forked_children_at_exit(program, sink):
    """A forked child that ends as programs do has sent its spans as well."""
    fork = "import os, sys\npid = os.fork()\n"
    wait = "if pid: os.waitpid(pid, 0)\n"
    done = program(make(before=fork, after=wait), AGENTGUARD_ENDPOINT=sink.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert len(sink.names) == 1200


def test_multiprocessing_children(program, sink):
    """A worker of multiprocessing, which skips exit handlers, has sent its spans when it ends."""
    code = (
        "import multiprocessing, agentguard\n"
        "handle = agentguard.init()\n"
        "@agentguard.tool\n"
        "def work(): pass\n"
        "workers = [multiprocessing.get_context('fork').Process(target=work) for _ in range(3)]\n"
        "[worker.start() for worker in workers]\n"
        "[worker.join() for worker in workers]\n"
    )
    done = program(code, AGENTGUARD_ENDPOINT=sink.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert sink.names == ["execute_tool work"] * 3
