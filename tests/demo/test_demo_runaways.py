"""The runaway: it catches everything and goes on, and each of its ailments has a guard."""

from collections import Counter
from decimal import Decimal

import pytest

from agentguard.demo import run_runaways
from agentguard.demo.ailments import AILMENTS, TURNS
from tests.interop.recorder import recording

GUARDS = {"stuck": "loop", "greedy": "budget", "slow": "timeout"}


@pytest.fixture(scope="module")
def demo():
    """One run with each ailment, and the receiver of its spans."""
    progress: list[str] = []
    with recording() as receiver:
        yield run_runaways(receiver.otlp_http, receiver.api_key, progress.append), receiver


def test_each_is_stopped_by_its_guard(demo):
    """The guard is the ailment's own, and nothing reaches the model after its stop."""
    runs, _ = demo
    assert [run.said.ailment for run in runs] == list(AILMENTS)
    assert {run.said.ailment: run.said.guard for run in runs} == GUARDS
    assert [run.too_late for run in runs] == [0, 0, 0]
    assert all(run.requests == run.said.calls < TURNS for run in runs)


def test_what_it_tried_afterwards_is_counted(demo):
    """Every turn is a call that was sent or one that was refused; savings follow from it."""
    runs, _ = demo
    for run in runs[:2]:
        assert run.said.calls + run.said.refused == TURNS
        mean = Decimal(run.said.cost_usd) / run.said.calls
        assert abs(Decimal(run.said.saved_usd) - mean * run.said.refused) < Decimal("1e-9")


def test_the_stop_is_in_the_trace(demo):
    """Each trace has one guard span, below its root, and the root says what stopped it."""
    runs, receiver = demo
    spans = [
        span
        for of_resource in receiver.read_back("research-crew-runaway")
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]
    guards = Counter(s.trace_id.hex() for s in spans if s.name.startswith("guard "))
    assert guards == {run.said.trace_id: 1 for run in runs}
    for run in runs:
        (root,) = [
            s for s in spans if s.trace_id.hex() == run.said.trace_id and not s.parent_span_id
        ]
        said = {a.key: a.value.string_value for a in root.attributes}
        assert said["agentguard.run.outcome"] == "stopped"
        assert said["agentguard.guard.name"] == run.said.guard
        assert said["agentguard.stop.reason"] == run.said.reason
