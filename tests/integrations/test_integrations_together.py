"""Model clients that are traced by several projects at once."""

import json
from functools import cache

import pytest

from tests.integrations.conftest import run_in

LIBRARIES = {"openai": None, "anthropic": "clients", "google-genai": "clients"}
ORDERS = ("ours genai openinference traceloop", "traceloop openinference genai ours")
MORE_ORDERS = ("ours", "openinference ours", "genai ours traceloop")


@pytest.fixture(scope="module")
def together(python_with, pytestconfig):
    """`together(library)[order]`: what became of it; all orders of a client are tried at once."""
    orders = [*ORDERS, *(MORE_ORDERS if pytestconfig.getoption("--soak") else ())]

    @cache
    def tried(library):
        python = python_with(LIBRARIES[library])
        done = run_in(python, "-m", "tests.integrations.together", library, *orders)
        assert done.returncode == 0, done.stderr
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return {line["order"]: line for line in lines}

    return tried


@pytest.mark.parametrize(
    "order", [*ORDERS, *(pytest.param(order, marks=pytest.mark.soak) for order in MORE_ORDERS)]
)
@pytest.mark.parametrize("library", LIBRARIES)
def test_with_instrumentors_of_others_no_call_is_counted_twice(library, order, together):
    """Whoever else traces the client, and in whatever order: one model span a call, its tokens."""
    said = together(library)[order]
    assert billable(said["spans"]) == billable(said["log"])
    assert said["calls"] == len(said["log"]) > 5
    assert said["orphans"] == []


def billable(calls: list[list]) -> list[tuple]:
    """The counts that have prices of their own: not every instrumentor tells reasoning apart."""
    return sorted(
        (model, new, cached, said + thought) for model, new, cached, said, thought in calls
    )
