"""The same three guards stop the same runaway, whoever traces its calls."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from agentguard.demo.provider import ProviderServer
from tests.boundary.instrumented_agent import GUARDS

SCRIPT = Path(__file__).with_name("instrumented_agent.py")
NAMES = {"loop": "loop", "budget": "budget", "dollars": "budget", "deadline": "timeout"}


@pytest.fixture(scope="module", params=["none", "genai", "openinference", "traceloop"])
def run_away(request) -> Iterator[Callable[..., dict[str, Any]]]:
    """`run_away(provider, guard, how)` in a process that its instrumentor has to itself."""
    # Patches are for the whole process, and to load the client takes far longer than to run away.
    with subprocess.Popen(
        [sys.executable, str(SCRIPT), request.param],
        env=os.environ | {"NO_PROXY": "127.0.0.1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as agent:

        def once(provider: ProviderServer, guard: str, how: str) -> dict[str, Any]:
            assert agent.stdin is not None
            assert agent.stdout is not None
            print(guard, how, provider.base_url, provider.api_key, file=agent.stdin, flush=True)
            line = agent.stdout.readline()
            assert line, "the agent ended"
            return json.loads(line)

        yield once
        agent.kill()


@pytest.mark.parametrize(
    ("guard", "how"),
    [*product(GUARDS, ["sync", "async_stream"]), ("budget", "async"), ("budget", "stream")],
)
def test_a_runaway_is_stopped(provider, run_away, guard, how):
    """Its guard stops it, no request follows the stop, and no call is counted twice."""
    said = run_away(provider, guard, how)
    requests = provider.requests()
    assert said["guard"] == NAMES[guard]
    late = [r for r in requests if r.received_at > said["at"] * 1e9]
    # A deadline may come while a request is on its way: no other one may follow.
    assert len(late) <= (guard == "deadline")
    assert all(said["began"][len(requests) - 1] < said["at"] for _ in late)
    assert said["calls"] == len(requests) < 30
    assert said["guard_spans"] == 1
    if not how.endswith("stream"):
        billed = [r.usage.prompt + r.usage.completion for r in requests if r.usage]
        # Of the request that a deadline breaks off, nobody is told what it used.
        told = {sum(billed), sum(billed[:-1])} if guard == "deadline" else {sum(billed)}
        assert said["tokens"] in told
