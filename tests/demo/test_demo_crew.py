"""The research crew: real client, real instrumentors, our decorators; what is stored and shown."""

import json
from collections import Counter, defaultdict

import pytest

from agentguard.demo import InstrumentorMissingError, run_crews
from agentguard.demo.instrumentors import INSTRUMENTORS, Instrumentor

# The first one waits for the whole stack and for three crews.
pytestmark = pytest.mark.timeout(300)

AGENTS = Counter(planner=1, researcher=2, writer=2, critic=2)
TOOLS = Counter(search_library=3, read_page=2)
TOKENS = (
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
)  # fmt: skip
SHOWN = ("kind", "agent", "tool", "provider", "model", *TOKENS, "cost", "cost_source")


@pytest.fixture(scope="module")
def demo(pipeline):
    """One run of the crew under each instrumentor, everything stored: the report, its progress."""
    progress: list[str] = []
    report = run_crews(pipeline.otlp_http, pipeline.api_key, progress.append, sorted(INSTRUMENTORS))
    pipeline.wait_until_stored()
    return report, progress


@pytest.fixture(scope="module", params=sorted(INSTRUMENTORS))
def run(pipeline, demo, request):
    """One run, and its spans as (name, attributes, span)."""
    report, _ = demo
    run = next(r for r in report.runs if r.instrumentor == request.param)
    spans = [
        (span.name, {a.key: a.value for a in span.attributes}, span)
        for of_resource in pipeline.read_back(run.service)
        for of_scope in of_resource.scope_spans
        for span in of_scope.spans
    ]
    return run, spans


@pytest.fixture(scope="module")
def traces(pipeline, demo):
    """The spans of each run as `agentguard trace --json` prints them, by instrumentor."""
    report, _ = demo
    printed = {}
    for run in report.runs:
        done = pipeline.stack.cli("trace", run.trace_id, "--json")
        assert done.returncode == 0, done.stderr
        printed[run.instrumentor] = json.loads(done.stdout)
    return printed


def named(spans, operation):
    """How often each name follows that operation in span names."""
    names = (name.split(" ", 1) for name, _, _ in spans)
    return Counter(n[1] for n in names if n[0] == operation and len(n) == 2)


def tree(spans, parent=""):
    """What is shown of each span, nested as the spans are; order among siblings left out."""
    return sorted(
        (tuple(str(span[name]) for name in SHOWN), tree(spans, span["span_id"]))
        for span in spans
        if span["parent_span_id"] == parent
    )


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


def test_what_is_shown_was_billed(run, traces):
    """By model, each of the disjoint counts is the provider's own; nothing is counted twice."""
    crew, _ = run
    counted = defaultdict(lambda: [0] * len(TOKENS))
    for span in traces[crew.instrumentor]:
        if span["model"]:
            counted[span["model"]] = [
                total + span[name]
                for total, name in zip(counted[span["model"]], TOKENS, strict=True)
            ]
    assert counted == {
        model: [usage.input, usage.cache_read, 0, usage.output, usage.reasoning]
        for model, usage in crew.usage_by_model.items()
    }


def test_every_call_has_a_price_and_nothing_else_has(run, traces):
    """Model calls and embeddings cost something; agents, tools and the run itself do not."""
    crew, _ = run
    for span in traces[crew.instrumentor]:
        is_call = span["kind"] in ("llm", "embedding")
        assert (span["cost"] is not None) == is_call
        assert span["cost_source"] == ("price table" if is_call else "")


def test_all_instrumentors_see_the_same_run(demo):
    """The crew does the same, and is billed the same, whoever traces it."""
    report, progress = demo
    assert len({(r.calls, r.refused, r.usage) for r in report.runs}) == 1
    assert len({r.trace_id for r in report.runs}) == len(INSTRUMENTORS)
    assert len(progress) == 2 * len(INSTRUMENTORS)


def test_the_tree_is_the_same_under_every_instrumentor(traces):
    """Kinds, agents, tools, models, tokens and cost of every call are alike, and so is the tree."""
    genai, *others = (tree(traces[name]) for name in sorted(traces))
    assert len(others) == 2
    assert all(other == genai for other in others)
    [(root, children)] = genai
    assert root[0] == "workflow"
    assert children


def test_a_missing_package_is_named_with_the_command_that_installs_it():
    """Nobody has to guess which package the demo wants."""
    absent = Instrumentor("some-instrumentor", "some_vendor.instrumentation.openai")
    with pytest.raises(InstrumentorMissingError, match=r"pip install --pre some-instrumentor$"):
        absent.check()
