"""The research crew: real client, real instrumentors, our decorators, a recording receiver."""

from collections import Counter

import pytest

from agentguard.demo import InstrumentorMissingError, run_crews
from agentguard.demo.instrumentors import INSTRUMENTORS, Instrumentor
from tests.interop.recorder import recording

AGENTS = Counter(planner=1, researcher=2, writer=2, critic=2)
TOOLS = Counter(search_library=3, read_page=2)


@pytest.fixture(scope="module")
def demo():
    """One run of the crew under each instrumentor: the report, its progress, the receiver."""
    progress: list[str] = []
    with recording() as receiver:
        report = run_crews(
            receiver.otlp_http, receiver.api_key, progress.append, sorted(INSTRUMENTORS)
        )
        yield report, progress, receiver


@pytest.fixture(params=sorted(INSTRUMENTORS))
def run(demo, request):
    """One run, and its spans as (name, attributes, span)."""
    report, _, receiver = demo
    run = next(r for r in report.runs if r.instrumentor == request.param)
    spans = [
        (span.name, {a.key: a.value for a in span.attributes}, span)
        for of_resource in receiver.read_back(run.service)
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]
    return run, spans


def named(spans, operation):
    """How often each name follows that operation in span names."""
    names = (name.split(" ", 1) for name, _, _ in spans)
    return Counter(n[1] for n in names if n[0] == operation and len(n) == 2)


def test_every_run_is_one_trace_of_agents_and_tools(run):
    """All spans of a run share the trace that was reported, and every step is in it once."""
    crew, spans = run
    assert {s.trace_id.hex() for _, _, s in spans} == {crew.trace_id}
    assert named(spans, "invoke_agent") == AGENTS
    assert named(spans, "execute_tool") == TOOLS


def test_every_answered_call_has_a_span_and_a_retry_has_none_of_its_own(run):
    """The client's retry of a 429 stays inside the one call it belongs to."""
    crew, spans = run
    steps = sum(AGENTS.values()) + sum(TOOLS.values()) + 1
    assert crew.refused > 0
    assert len(spans) - steps == crew.calls


def test_the_failed_tool_call_is_in_the_trace_beside_its_retry(run):
    """One search failed and was made again; only the first attempt is an error."""
    _, spans = run
    errors = [name for name, _, span in spans if span.status.code == 2]
    assert errors == ["execute_tool search_library"]


def test_reported_tokens_are_the_tokens_the_provider_billed(run):
    """Input and output on the spans add up to the provider's own log, whatever the vocabulary."""
    crew, spans = run
    seen = Counter()
    for _, attributes, _ in spans:
        for kind, names in {
            "prompt": ("gen_ai.usage.input_tokens", "llm.token_count.prompt"),
            "completion": ("gen_ai.usage.output_tokens", "llm.token_count.completion"),
        }.items():
            seen[kind] += next((attributes[n].int_value for n in names if n in attributes), 0)
    assert seen == {"prompt": crew.usage.prompt, "completion": crew.usage.completion}
    assert crew.usage.cache_read > 0
    assert crew.usage.reasoning > 0


def test_message_contents_are_recorded(run):
    """Under each instrumentor the question put to the planner can be read in the trace."""
    _, spans = run
    texts = [v.string_value for _, attributes, _ in spans for v in attributes.values()]
    assert any("Topic: tracing for AI agents" in text for text in texts)


def test_all_instrumentors_see_the_same_run(demo):
    """The crew does the same, and is billed the same, whoever traces it."""
    report, progress, receiver = demo
    assert len({(r.calls, r.refused, r.usage) for r in report.runs}) == 1
    assert len({r.trace_id for r in report.runs}) == len(INSTRUMENTORS)
    assert len(progress) == 2 * len(INSTRUMENTORS)
    assert receiver.keys == {f"Bearer {receiver.api_key}"}


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    """Nobody has to guess which package the demo wants."""
    absent = Instrumentor("some-instrumentor", "some_vendor.instrumentation.openai")
    with pytest.raises(InstrumentorMissingError, match=r"pip install --pre some-instrumentor$"):
        absent.check()
