"""One trace and one span, read from the engine with everything they carried."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from decimal import Decimal

import pytest

from agentguard_storage.queries.errors import QueryTooLarge
from agentguard_storage.queries.reader import Bounds, Reader
from agentguard_storage.queries.trace import get_span, get_trace, with_contents
from tests.storage.telemetry.telemetry_store import make_span, request_of, set_value

SECOND = 10**9
START = 1_780_000_000 * SECOND
LONG = "What otters cost, " * 40
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1_000,
    "gen_ai.usage.cache_read.input_tokens": 400,
    "gen_ai.usage.output_tokens": 100,
    "gen_ai.conversation.id": "session 1",
    "user.id": "ada",
    "input.value": LONG,
    "count": 3,
    "nested": {"list": [1, "x", None]},
}


def span_at(first, last, trace_id, **fields):
    """A span between two seconds of the trace."""
    times = {
        "start_time_unix_nano": START + first * SECOND,
        "end_time_unix_nano": START + last * SECOND,
    }
    return make_span(fields.pop("attributes", {}), trace_id=trace_id, **times | fields)


@pytest.fixture(scope="module")
def recorded(store):
    """An agent that calls a model and a tool that fails, in two services; its ids in hex."""
    trace_id = os.urandom(16)
    agent = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "planner"}
    root = span_at(0, 10, trace_id, name="invoke_agent planner", attributes=agent)
    below = {"parent_span_id": root.span_id}
    call = span_at(1, 4, trace_id, name="chat gpt-4o", attributes=CALL, kind=3, **below)
    event = call.events.add(name="retried", time_unix_nano=START + 2, dropped_attributes_count=1)
    set_value(event.attributes.add(key="attempt").value, 2)
    link = call.links.add(trace_id=b"t" * 16, span_id=b"s" * 8, trace_state="a=b", flags=1)
    set_value(link.attributes.add(key="why").value, "retry")
    tool = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "search"}
    failed = span_at(4, 9, trace_id, name="execute_tool search", attributes=tool, **below)
    failed.status.code, failed.status.message = 2, "no library"
    store.insert(
        [
            request_of(
                root,
                call,
                scope="scope.one",
                service_name="one",
                deployment_environment_name="prod",
                host_name="h1",
            ),
            request_of(failed, service_name="two"),
        ],
        project="prj_one_trace",
    )
    return store.reader("prj_one_trace"), trace_id.hex(), call.span_id.hex()


def test_a_text_that_expired_before_its_span_is_left_out(store):
    """The trace opens all the same, with everything else that its spans carried."""
    trace_id = os.urandom(16)
    call = span_at(1, 4, trace_id, attributes=CALL)
    store.insert([request_of(call)], project="prj_expired")
    store.client.command(
        "ALTER TABLE blobs DELETE WHERE project_id = 'prj_expired'",
        settings={"mutations_sync": 1},
    )
    found = get_trace(store.reader("prj_expired"), trace_id.hex())
    assert found is not None
    [span] = found.spans
    assert "input.value" not in span.attributes
    assert span.attributes["count"] == 3


def test_a_trace_comes_with_its_figures(recorded):
    """Sums, times, names and the critical path are those of its spans."""
    reader, trace_id, _ = recorded
    trace = get_trace(reader, trace_id)
    assert (trace.root_name, trace.service, trace.services) == (
        "invoke_agent planner",
        "one",
        ["one", "two"],
    )
    assert (trace.environment, trace.session, trace.user) == ("prod", "session 1", "ada")
    assert (trace.duration_ns, trace.started_at.timestamp()) == (10 * SECOND, START / SECOND)
    assert (trace.span_count, trace.error_count, trace.llm_calls, trace.tool_calls) == (3, 1, 1, 1)
    assert (trace.input_tokens, trace.cache_read_tokens, trace.output_tokens) == (600, 400, 100)
    assert trace.cost == trace.spans[1].cost == Decimal("0.003")
    assert (trace.unpriced_calls, trace.complete) == (0, True)
    assert (trace.agents, trace.models) == (["planner"], ["gpt-4o"])
    assert trace.critical_path == [span.span_id for span in trace.spans]
    assert [span.self_time_ns // SECOND for span in trace.spans] == [2, 3, 5]


def test_a_span_comes_with_everything_it_carried(recorded):
    """Columns, attributes of every type, long texts, events, links, resource and scope."""
    reader, trace_id, span_id = recorded
    span = get_span(reader, trace_id, span_id)
    assert (span.kind, span.span_kind, span.status) == ("llm", "client", "unset")
    assert (span.provider, span.model, span.session) == ("openai", "gpt-4o", "session 1")
    assert len(span.call_hash) == 16
    assert span.cost_source == "price table"
    assert {key: span.attributes[key] for key in CALL} == CALL
    [event] = span.events
    assert (event.name, event.time_ns, event.dropped_attributes_count) == ("retried", START + 2, 1)
    assert event.attributes == {"attempt": 2}
    [link] = span.links
    assert (link.trace_id, link.span_id) == ((b"t" * 16).hex(), (b"s" * 8).hex())
    assert (link.trace_state, link.flags, link.attributes) == ("a=b", 1, {"why": "retry"})
    assert (span.scope, span.service, span.environment) == ("scope.one", "one", "prod")
    assert span.resource["host.name"] == "h1"
    assert (span.depth, span.child_count, span.critical) == (1, 0, True)


def test_a_span_is_the_same_however_it_is_read(recorded):
    """By itself, in its trace, and in a trace whose contents are read afterwards."""
    reader, trace_id, _ = recorded
    whole = get_trace(reader, trace_id)
    assert [get_span(reader, trace_id, span.span_id) for span in whole.spans] == whole.spans
    brief = get_trace(reader, trace_id, contents=False)
    assert with_contents(reader, brief.spans) == whole.spans
    bare = {"attributes": {}, "events": [], "links": [], "resource": {}}
    bare |= {"scope": "", "scope_version": ""}
    assert brief.spans == [replace(span, **bare) for span in whole.spans]
    assert replace(brief, spans=whole.spans) == whole


def test_what_is_not_there_is_none(recorded, store):
    """An unknown trace, an unknown span, and those of another project."""
    reader, trace_id, span_id = recorded
    other = store.reader("prj_another")
    assert get_trace(reader, "f" * 32) is None
    assert get_span(reader, trace_id, "f" * 16) is None
    assert get_trace(other, trace_id) is None
    assert get_span(other, trace_id, span_id) is None


def test_projects_share_no_contents(store, project):
    """Two projects with one trace id and one text read their own spans alone."""
    span = span_at(0, 1, b"s" * 16, attributes={"input.value": LONG})
    theirs = span_at(0, 1, b"s" * 16, attributes={"input.value": f"{LONG} (theirs)"})
    theirs.span_id = span.span_id
    store.insert([request_of(span)], project=project)
    store.insert([request_of(theirs)], project=f"{project}x")
    found = get_trace(store.reader(project), (b"s" * 16).hex())
    assert [each.attributes["input.value"] for each in found.spans] == [LONG]
    one = get_span(store.reader(f"{project}x"), (b"s" * 16).hex(), span.span_id.hex())
    assert one.attributes["input.value"] == f"{LONG} (theirs)"


def test_a_trace_that_is_too_large_is_refused_in_words(store, recorded):
    """What reaches a bound of the reader says what to do, and nothing of the engine."""
    reader, trace_id, _ = recorded
    narrow = Reader(store.client, reader.project_id, Bounds(result_rows=2))
    with pytest.raises(QueryTooLarge, match="more rows or memory") as told:
        get_trace(narrow, trace_id)
    assert "DB::Exception" not in str(told.value)


@pytest.fixture(scope="module")
def large(store):
    """A trace of ten thousand spans: agents that call models and tools, four levels deep."""
    trace_id, history = os.urandom(16), "You are a researcher. " * 30
    root = span_at(0, 10_000, trace_id, name="invoke_agent boss")
    spans = [root]
    for turn in range(1_111):
        agent = span_at(turn, turn + 9, trace_id, name=f"agent {turn % 7}")
        agent.parent_span_id = root.span_id
        spans.append(agent)
        for step in range(8):
            said = CALL | {"input.value": f"{history} turn {turn} step {step}", "step": step}
            call = span_at(turn + step, turn + step + 1, trace_id, attributes=said)
            call.parent_span_id = agent.span_id
            spans.append(call)
    for first in range(0, len(spans), 2_000):
        store.insert(
            [request_of(*spans[first : first + 2_000], service_name="large")], project="prj_large"
        )
    return store.reader("prj_large"), trace_id.hex()


@pytest.mark.parametrize("contents", [True, False])
def test_a_trace_of_ten_thousand_spans_is_opened_at_once(large, contents):
    """With every attribute and text or without: this process works for two seconds at most.

    How long it takes beside nothing else is measured by the benchmarks.
    """
    reader, trace_id = large
    took = []
    for _ in range(3):
        begun = time.process_time()
        trace = get_trace(reader, trace_id, contents=contents)
        took.append(time.process_time() - begun)
    assert trace.span_count == 10_000
    assert min(took) < 2
