"""Model clients that are traced by several projects at once."""

import json

import pytest

from tests.integrations.conftest import run_in

LIBRARIES = {"openai": None, "anthropic": "clients", "google-genai": "clients"}
ORDERS = [
    "ours genai openinference traceloop",
    "traceloop openinference genai ours",
    *(
        pytest.param(order, marks=pytest.mark.soak)
        for order in ("ours", "openinference ours", "genai ours traceloop")
    ),
]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("library", LIBRARIES)
def test_with_instrumentors_of_others_no_call_is_counted_twice(library, order, python_with):
    """Whoever else traces the client, and in whatever order: one model span a call, its tokens."""
    module = "tests.integrations.together"
    done = run_in(python_with(LIBRARIES[library]), "-m", module, library, *order.split())
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert billable(said["spans"]) == billable(said["log"])
    assert said["calls"] == len(said["log"]) > 5
    assert said["orphans"] == []


def billable(calls: list[list]) -> list[tuple]:
    """The counts that have prices of their own: not every instrumentor tells reasoning apart."""
    return sorted(
        (model, new, cached, said + thought) for model, new, cached, said, thought in calls
    )
