"""The `openai` client."""

import json
import sys
from pathlib import Path

import pytest

from tests.integrations.conftest import run_in
from tests.integrations.openai_client.runaways import FORMS
from tests.integrations.stopping import check_stopped

MODULE = "tests.integrations.openai_client.runaways"
ORDERS = [
    "ours",
    "ours genai openinference traceloop",
    "traceloop openinference genai ours",
    "openinference ours",
    "genai ours traceloop",
]


@pytest.mark.parametrize("guard", ["loop", "budget", "deadline"])
@pytest.mark.parametrize("form", FORMS)
def test_a_runaway_is_stopped(outcomes_of, form, guard):
    """Each form is stopped by each guard, with nothing sent afterwards and every token counted."""
    check_stopped(outcomes_of(None, MODULE)[form, guard])


@pytest.mark.parametrize("order", ORDERS)
def test_with_instrumentors_of_others_no_call_is_counted_twice(order):
    """Whoever else traces the client, and in whatever order: one model span a call, its tokens."""
    module = "tests.integrations.openai_client.together"
    done = run_in(Path(sys.executable), "-m", module, *order.split())
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert billable(said["spans"]) == billable(said["log"])
    assert said["calls"] == len(said["log"]) == 11
    assert said["orphans"] == []


def billable(calls: list[list]) -> list[tuple]:
    """The counts that have prices of their own: not every instrumentor tells reasoning apart."""
    return sorted(
        (model, new, cached, said + thought) for model, new, cached, said, thought in calls
    )
