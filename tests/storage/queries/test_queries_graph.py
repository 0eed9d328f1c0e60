"""The graph of agents: who called whom, how often, at what cost."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from agentguard_storage.filters import parse
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.graph import agent_graph, agent_graph_over
from agentguard_storage.queries.hours import TimeRange
from tests.storage.telemetry.telemetry_store import make_span, request_of

NOON = datetime(2026, 4, 1, 12, tzinfo=UTC)
NOON_NS = int(NOON.timestamp()) * 10**9
PERIOD = TimeRange(NOON, NOON + timedelta(hours=1))
PROJECT = "prj_graph"
OPERATIONS = {
    "agent": ("invoke_agent", "gen_ai.agent.name"),
    "workflow": ("invoke_workflow", "gen_ai.workflow.name"),
    "tool": ("execute_tool", "gen_ai.tool.name"),
    "llm": ("chat", "gen_ai.request.model"),
    "other": ("", "ignored"),
}


class Spans:
    """The spans of one trace, each a second after the one before."""

    def __init__(self, minute):
        self.trace_id = os.urandom(16)
        self.made = []
        self._start = NOON_NS + minute * 60 * 10**9

    def add(self, kind, name, below=None, failed=False, **attributes):
        """One more span of this kind, with that name, below that one."""
        operation, named = OPERATIONS[kind]
        said = {"gen_ai.operation.name": operation, named: name, **attributes}
        if kind == "llm":
            said |= {"gen_ai.provider.name": "openai", "gen_ai.usage.input_tokens": 1_000_000}
        at = self._start + len(self.made) * 10**9
        span = make_span(
            said,
            name=name,
            trace_id=self.trace_id,
            parent_span_id=below.span_id if below else b"",
            start_time_unix_nano=at,
            end_time_unix_nano=at + 10**9,
        )
        if failed:
            span.status.code = 2
        self.made.append(span)
        return span


@pytest.fixture(scope="module")
def graphed(store):
    """A boss who asks a worker twice, once through a span that is nobody's; both use models."""
    one = Spans(10)
    boss = one.add("agent", "boss")
    one.add("llm", "gpt-4o", boss)
    worker = one.add("agent", "worker", boss)
    one.add("llm", "gpt-4o-mini", worker)
    one.add("tool", "search", worker, failed=True)
    between = one.add("other", "between", boss)
    again = one.add("agent", "worker", between)
    step = one.add("other", "step", again)
    tool = one.add("tool", "search", step)
    one.add("llm", "nobody-knows-this-model", tool)
    two = Spans(20)
    two.add("llm", "gpt-4o", None, **{"gen_ai.agent.name": "boss"})
    store.insert(
        [
            request_of(*one.made, service_name="one"),
            request_of(*two.made, service_name="two"),
        ],
        project=PROJECT,
    )
    return store.reader(PROJECT), one.trace_id.hex()


def figures(graph):
    """Calls, errors and dollars of nodes and edges, by their ids."""
    nodes = {node.id: (node.calls, node.errors, node.cost) for node in graph.nodes}
    edges = {(e.caller, e.callee): (e.calls, e.errors, e.cost) for e in graph.edges}
    return nodes, edges


def test_the_graph_of_a_trace_has_every_call(graphed):
    """A call is by the nearest agent above it; an agent's cost is of its own model calls."""
    reader, trace_id = graphed
    graph = agent_graph(reader, trace_id)
    nodes, edges = figures(graph)
    assert nodes == {
        "agent:boss": (1, 0, Decimal("2.5")),
        "agent:worker": (2, 0, Decimal("0.15")),
        "tool:search": (2, 1, Decimal(0)),
        "model:gpt-4o": (1, 0, Decimal("2.5")),
        "model:gpt-4o-mini": (1, 0, Decimal("0.15")),
        "model:nobody-knows-this-model": (1, 0, None),
    }
    assert edges == {
        ("agent:boss", "model:gpt-4o"): (1, 0, Decimal("2.5")),
        ("agent:boss", "agent:worker"): (2, 0, Decimal("0.15")),
        ("agent:worker", "model:gpt-4o-mini"): (1, 0, Decimal("0.15")),
        ("agent:worker", "model:nobody-knows-this-model"): (1, 0, None),
        ("agent:worker", "tool:search"): (2, 1, Decimal(0)),
    }
    [worker] = [node for node in graph.nodes if node.id == "agent:worker"]
    assert (worker.tokens, worker.unpriced_calls) == (2_000_000, 1)
    assert worker.duration_ns == 2 * 10**9
    assert (graph.traces, graph.spans, graph.complete) == (1, 10, True)


def test_only_the_kinds_that_are_wanted_are_nodes(graphed):
    """Without tools and models it is a graph of agents, with the same costs."""
    reader, trace_id = graphed
    nodes, edges = figures(agent_graph(reader, trace_id, kinds=["agent"]))
    assert set(nodes) == {"agent:boss", "agent:worker"}
    assert edges == {("agent:boss", "agent:worker"): (2, 0, Decimal("0.15"))}
    assert nodes["agent:boss"] == (1, 0, Decimal("2.5"))
    with pytest.raises(InvalidQuery, match="agent, workflow"):
        agent_graph(reader, trace_id, kinds=["robot"])


def test_the_graph_of_many_traces_adds_them_up(graphed):
    """All traces of a time, or those that match; of more than wanted, the newest."""
    reader, _ = graphed
    graph = agent_graph_over(reader, PERIOD)
    nodes, edges = figures(graph)
    assert nodes["model:gpt-4o"] == (2, 0, Decimal(5))
    assert nodes["agent:boss"] == (1, 0, Decimal(5))
    assert edges["agent:boss", "model:gpt-4o"] == (2, 0, Decimal(5))
    assert (graph.traces, graph.spans, graph.complete) == (2, 11, True)
    newest = agent_graph_over(reader, PERIOD, most_traces=1)
    assert (newest.traces, newest.spans, newest.complete) == (1, 1, False)
    filtered = agent_graph_over(reader, PERIOD, filter=parse("agent:worker"))
    assert (filtered.traces, filtered.complete) == (1, True)
    later = TimeRange(PERIOD.end, PERIOD.end + timedelta(hours=1))
    assert agent_graph_over(reader, later).nodes == []


def test_a_graph_of_many_traces_reads_their_ids_at_once(store, project):
    """More traces than fit in a query's text are read all the same, and circles end."""
    requests = []
    for minute in range(200):
        spans = Spans(minute % 60)
        one = spans.add("other", "one")
        two = spans.add("other", "two", one)
        one.parent_span_id = two.span_id
        spans.add("tool", "search", two)
        requests.append(request_of(*spans.made))
    store.insert(requests, project=project)
    graph = agent_graph_over(store.reader(project), PERIOD)
    assert [(node.id, node.calls) for node in graph.nodes] == [("tool:search", 200)]
    assert (graph.traces, graph.complete) == (200, True)


def test_another_project_has_no_graph(graphed, store):
    """A trace is its project's alone."""
    _, trace_id = graphed
    other = store.reader("prj_graph_other")
    assert agent_graph(other, trace_id) is None
    assert agent_graph_over(other, PERIOD).nodes == []
