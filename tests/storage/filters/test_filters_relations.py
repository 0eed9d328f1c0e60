"""Relations in traces that are very deep, very wide, or go in circles."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.storage.filters.filter_data import Filled
from tests.storage.telemetry.telemetry_store import Store, make_span, request_of

SPANS = 10_000


def spans(parents: Sequence[int | None], tools: set[int], agents: set[int]) -> list[Span]:
    """One trace; each span's parent is given by its number."""
    trace_id = os.urandom(16)
    ids = [os.urandom(8) for _ in parents]
    made = []
    for number, parent in enumerate(parents):
        attributes: dict[str, object] = {}
        if number in tools:
            attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
        if number in agents:
            attributes = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "Planner"}
        above = b"" if parent is None else ids[parent]
        made.append(
            make_span(
                attributes, trace_id=trace_id, span_id=ids[number], parent_span_id=above,
                name=f"s{number}",
            )
        )  # fmt: skip
    return made


def found(filled: Filled, text: str) -> set[int]:
    """The numbers of the spans that a filter finds."""
    names = {
        (row["trace_id"], row["span_id"]): row["name"]
        for row in filled.reader.rows(
            "SELECT trace_id, span_id, name FROM spans WHERE project_id = {project:String}"
        )
    }
    return {int(names[key][1:]) for key in filled.spans(text)}


@pytest.fixture
def trace(store: Store, project: str) -> Filled:
    """A project that is empty yet."""
    return Filled(store, project, "")


def test_a_chain_of_ten_thousand(trace: Filled):
    """In a chain of 10,000 spans the last is found below the first, in a few seconds."""
    chain = [None, *range(SPANS - 1)]
    last = SPANS - 1
    trace.store.insert(
        [request_of(*spans(chain, tools={last, 5}, agents={0, 4_000}))], project=trace.project
    )
    began = time.monotonic()
    assert found(trace, "tool:search < agent:Planner") == {5, last}
    assert found(trace, "tool:search < name:s4000") == {last}
    assert found(trace, "agent:Planner > name:s5") == {0}
    assert found(trace, "agent:Planner > tool:search") == {0, 4_000}
    assert found(trace, "name:s4000 << root:true") == set()
    assert found(trace, "name:s1 << root:true") == {1}
    assert found(trace, "tool:search < name:s4000 < name:s17") == {last}
    assert found(trace, "tool:search < name:s4 < name:s17") == set()
    assert time.monotonic() - began < 30


def test_a_wide_trace(trace: Filled):
    """In a trace of 10,000 spans under ten agents, each tool is found below its own agent."""
    parents = [None, *[0] * 10, *[1 + number % 10 for number in range(SPANS - 11)]]
    tools = set(range(11, SPANS))
    trace.store.insert([request_of(*spans(parents, tools, agents={3}))], project=trace.project)
    below = {number for number in tools if parents[number] == 3}
    assert found(trace, "tool:search < agent:Planner") == below
    assert found(trace, "tool:search << agent:Planner") == below
    assert found(trace, "agent:Planner >> tool:search") == {3}
    assert found(trace, "name:s0 > tool:search") == {0}


@pytest.mark.parametrize("size", [1, 2, 3, 1_000])
def test_parents_in_a_circle(trace: Filled, size: int):
    """Where parents go round, each span is below and above each, and the answer still comes."""
    circle = [(number + 1) % size for number in range(size)]
    trace.store.insert([request_of(*spans(circle, set(), set()))], project=trace.project)
    everything = set(range(size))
    assert found(trace, "name:s* < name:s0") == everything
    assert found(trace, "name:s* > name:s0") == everything
