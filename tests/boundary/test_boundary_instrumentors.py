"""The same three guards stop the same runaway, whoever traces its calls."""

import json
import os
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest

from tests.boundary.instrumented_agent import GUARDS

SCRIPT = Path(__file__).with_name("instrumented_agent.py")
NAMES = {"loop": "loop", "budget": "budget", "dollars": "budget", "deadline": "timeout"}


@pytest.mark.parametrize("instrumentor", ["none", "genai", "openinference", "traceloop"])
@pytest.mark.parametrize(
    ("guard", "how"),
    [*product(GUARDS, ["sync", "async_stream"]), ("budget", "async"), ("budget", "stream")],
)
def test_a_runaway_is_stopped(start_provider, instrumentor, guard, how):
    """Its guard stops it, no request follows the stop, and no call is counted twice."""
    provider = start_provider()
    environment = os.environ | {
        "OPENAI_API_KEY": provider.api_key,
        "OPENAI_BASE_URL": provider.base_url,
        "NO_PROXY": "127.0.0.1",
    }
    done = subprocess.run(
        [sys.executable, str(SCRIPT), instrumentor, guard, how],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    requests = provider.requests()
    assert said["guard"] == NAMES[guard]
    late = [r for r in requests if r.received_at > said["at"] * 1e9]
    # A deadline may come while a request is on its way: no other one may follow.
    assert len(late) <= (guard == "deadline")
    assert all(said["began"][len(requests) - 1] < said["at"] for _ in late)
    assert said["calls"] == len(requests) < 30
    assert said["guard_spans"] == 1
    if not how.endswith("stream"):
        billed = provider.usage()
        assert said["tokens"] == billed.prompt + billed.completion
