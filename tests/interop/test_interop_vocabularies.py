"""One agent, three vocabularies, one picture: what `agentguard trace` shows does not differ."""

import json
from collections import defaultdict

import pytest

from agentguard.demo import run_crews
from agentguard.demo.instrumentors import INSTRUMENTORS

TOKENS = (
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
)  # fmt: skip
SHOWN = ("kind", "agent", "tool", "provider", "model", *TOKENS, "cost", "cost_source")


@pytest.fixture(scope="module")
def report(pipeline):
    """One run of the crew under each instrumentor, everything stored."""
    made = run_crews(pipeline.otlp_http, pipeline.api_key, lambda _: None, sorted(INSTRUMENTORS))
    pipeline.wait_until_stored()
    return made


@pytest.fixture(scope="module")
def traces(pipeline, report):
    """The spans of each run as `agentguard trace --json` prints them, by instrumentor."""
    printed = {}
    for run in report.runs:
        done = pipeline.stack.cli("trace", run.trace_id, "--json")
        assert done.returncode == 0, done.stderr
        printed[run.instrumentor] = json.loads(done.stdout)
    return printed


def tree(spans, parent=""):
    """What is shown of each span, nested as the spans are; order among siblings left out."""
    return sorted(
        (tuple(str(span[name]) for name in SHOWN), tree(spans, span["span_id"]))
        for span in spans
        if span["parent_span_id"] == parent
    )


def test_the_tree_is_the_same_under_every_instrumentor(traces):
    """Kinds, agents, tools, models, tokens and cost of every call are alike, and so is the tree."""
    genai, *others = (tree(traces[name]) for name in sorted(traces))
    assert len(others) == 2
    assert all(other == genai for other in others)
    [(root, children)] = genai
    assert root[0] == "workflow"
    assert children


@pytest.mark.parametrize("instrumentor", sorted(INSTRUMENTORS))
def test_tokens_are_those_that_were_billed(report, traces, instrumentor):
    """By model, each of the disjoint counts is the provider's own; nothing is counted twice."""
    [run] = [run for run in report.runs if run.instrumentor == instrumentor]
    counted = defaultdict(lambda: [0] * len(TOKENS))
    for span in traces[instrumentor]:
        if span["model"]:
            counted[span["model"]] = [
                total + span[name]
                for total, name in zip(counted[span["model"]], TOKENS, strict=True)
            ]
    assert counted == {
        model: [usage.input, usage.cache_read, 0, usage.output, usage.reasoning]
        for model, usage in run.usage_by_model.items()
    }
    assert run.usage.cache_read > 0
    assert run.usage.reasoning > 0


@pytest.mark.parametrize("instrumentor", sorted(INSTRUMENTORS))
def test_every_call_has_a_price_and_nothing_else_has(traces, instrumentor):
    """Model calls and embeddings cost something; agents, tools and the run itself do not."""
    for span in traces[instrumentor]:
        is_call = span["kind"] in ("llm", "embedding")
        assert (span["cost"] is not None) == is_call
        assert span["cost_source"] == ("price table" if is_call else "")
