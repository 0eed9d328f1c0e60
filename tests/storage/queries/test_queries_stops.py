"""Why a run was stopped, read from what its guards recorded."""

from __future__ import annotations

import os
from decimal import Decimal

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

import agentguard
from agentguard import LoopGuard
from agentguard_storage.queries.savings import saved
from agentguard_storage.queries.stops import explain_stop
from tests.guards.conftest import spans
from tests.storage.telemetry.telemetry_store import make_span, request_of

__all__ = ["spans"]

SECOND = 10**9
START = 1_780_000_000 * SECOND
MODEL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
GUARD = {
    "gen_ai.operation.name": "guard",
    "agentguard.guard.name": "budget",
    "agentguard.guard.action": "stop",
    "agentguard.guard.reason": "$1.00 are spent",
    "agentguard.stop.reason": "$1.00 are spent",
    "agentguard.guard.limit": 1.0,
    "agentguard.guard.used": 1.25,
    "agentguard.guard.unit": "USD",
    "agentguard.guard.call": "chat gpt-4o",
    "agentguard.run.id": "run-1",
    "agentguard.run.name": "nightly",
}


class Run:
    """The spans of a run of a minute; each of a second, below the root."""

    def __init__(self, **attributes):
        self.trace_id = os.urandom(16)
        self.root = make_span(
            {"gen_ai.operation.name": "invoke_agent", **attributes},
            name="nightly",
            trace_id=self.trace_id,
            start_time_unix_nano=START,
            end_time_unix_nano=START + 60 * SECOND,
        )
        self.made = [self.root]

    def at(self, second, attributes, failed=False):
        """A span that begins in that second."""
        span = make_span(
            attributes,
            name=" ".join(filter(None, (attributes.get("gen_ai.operation.name"), "step"))),
            trace_id=self.trace_id,
            parent_span_id=self.root.span_id,
            start_time_unix_nano=START + second * SECOND,
            end_time_unix_nano=START + (second + 1) * SECOND,
        )
        if failed:
            span.status.code, span.status.message = 2, "refused"
        self.made.append(span)
        return span

    def explained(self, store, project, **asked):
        """Why it was stopped, once it is in the store."""
        store.insert([request_of(*self.made, service_name="agents")], project=project)
        return explain_stop(store.reader(project), self.trace_id.hex(), **asked)


def test_a_stop_is_explained_with_its_figures(store, project):
    """Which guard, its limit, what was used, what the run had done, and what came after."""
    run = Run(**{"agentguard.run.outcome": "stopped"})
    for second in (0, 10, 20, 30):
        run.at(second, MODEL | {"gen_ai.usage.input_tokens": 100_000})
    run.at(31, TOOL | {"input.value": "x"}, failed=True)
    guard = run.at(40, GUARD, failed=True)
    run.at(41, MODEL, failed=True)
    run.at(42, MODEL, failed=True)
    run.at(43, MODEL | {"gen_ai.usage.input_tokens": 100_000})
    found = run.explained(store, project)
    said = found.verdict
    assert (found.stopped, found.outcome, found.root_name) == (True, "stopped", "nightly")
    assert (said.guard, said.action, said.reason) == ("budget", "stop", "$1.00 are spent")
    assert (said.limit, said.used, said.unit, said.call) == (1.0, 1.25, "USD", "chat gpt-4o")
    assert (said.run_id, said.run_name, said.span_id) == ("run-1", "nightly", guard.span_id.hex())
    assert said.at.timestamp() == START / SECOND + 40
    before = found.before
    assert (before.model_calls, before.tool_calls, before.errors) == (4, 1, 1)
    assert (before.tokens, before.cost) == (400_000, Decimal(1))
    assert before.duration_ns == 40 * SECOND
    assert (found.refused_after, found.answered_after) == (2, 1)
    calls = [(START + second * SECOND, Decimal("0.25")) for second in (0, 10, 20, 30)]
    assert found.saved == saved(calls, START + 40 * SECOND)
    assert found.saved.amount is not None


def test_a_run_without_prices_saved_nobody_knows_what(store, project):
    """No base, no estimate."""
    run = Run()
    run.at(1, MODEL | {"gen_ai.request.model": "nobody-knows", "gen_ai.usage.input_tokens": 9})
    run.at(2, GUARD)
    found = run.explained(store, project)
    assert found.saved.amount is None
    assert (found.before.cost, found.before.unpriced_calls) == (None, 1)


def test_the_calls_before_a_loop_are_shown(store, project):
    """The last ones, with what they asked and were told, and how often they were the same."""
    run = Run()
    for second, query in enumerate(["otters", "cats", "cats", "cats"]):
        run.at(second, TOOL | {"input.value": query * 100, "output.value": "[]"})
    run.at(9, GUARD | {"agentguard.guard.name": "loop"})
    run.at(10, TOOL | {"input.value": "later"})
    found = run.explained(store, project, last=3, text_limit=8)
    assert [call.same for call in found.last_calls] == [3, 3, 3]
    assert {call.name for call in found.last_calls} == {"search"}
    [part] = found.last_calls[0].messages.input[0].parts
    assert (part.text, part.length) == ("catscats", 400)
    assert found.last_calls[0].messages.output[0].parts[0].text == "[]"
    assert run.explained(store, project, last=0).last_calls == []


@pytest.mark.parametrize("action", ["deny", "warn", "observe", "error"])
def test_a_verdict_that_stopped_nothing_says_so(store, project, action):
    """The gravest verdict is told, and that the run went on."""
    run = Run()
    verdict = GUARD | {"agentguard.guard.action": action}
    del verdict["agentguard.stop.reason"]
    run.at(1, verdict | {"agentguard.guard.action": "observe"})
    run.at(2, verdict)
    found = run.explained(store, project)
    assert (found.stopped, found.verdict.action, found.saved) == (False, action, None)
    assert len(found.verdicts) == 2


def test_a_root_span_alone_tells_of_the_stop(store, project):
    """Where the guard's own span is lost, the run's root has its verdict."""
    run = Run(**GUARD | {"gen_ai.operation.name": "invoke_agent"})
    found = run.explained(store, project)
    assert (found.stopped, found.verdict.guard, found.verdict.limit) == (True, "budget", 1.0)
    assert found.verdict.span_id == run.root.span_id.hex()


def test_where_no_guard_spoke_nothing_is_explained(store, project):
    """A trace without verdicts, one that is not there, and one of another project."""
    run = Run()
    assert run.explained(store, project) is None
    assert explain_stop(store.reader(project), "f" * 32) is None
    run = Run()
    run.at(1, GUARD)
    assert run.explained(store, project) is not None
    assert explain_stop(store.reader("prj_nobody"), run.trace_id.hex()) is None


def test_what_the_sdk_records_is_explained(store, project, spans):
    """A run of the SDK that a LoopGuard stopped: its verdict, its figures, its repeated calls."""

    @agentguard.tool
    def search(query):
        return []

    @agentguard.run("nightly", guards=[LoopGuard()])
    def agent():
        while True:
            search("otters")

    with pytest.raises(agentguard.LoopDetected):
        agent()
    finished = spans.memory.get_finished_spans()
    store.insert([encode_spans(finished)], project=project)
    trace_id = f"{finished[0].context.trace_id:032x}"
    found = explain_stop(store.reader(project), trace_id)
    assert (found.stopped, found.outcome, found.root_name) == (
        True,
        "stopped",
        "invoke_workflow nightly",
    )
    assert (found.verdict.guard, found.verdict.limit, found.verdict.used) == ("loop", 3, 3)
    assert found.verdict.unit == "repeats"
    assert "search" in found.verdict.reason
    assert [call.name for call in found.last_calls][:2] == ["search", "search"]
