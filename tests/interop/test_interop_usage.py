"""The usage shapes are what the instrumentors of today really write."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop.usage_shapes import CASES, Disjoint

CHAT, STREAMED, RESPONSES, EMBEDDING = range(4)
NAMES = {
    "genai": {
        "gen_ai.usage.input_tokens": "prompt",
        "gen_ai.usage.output_tokens": "completion",
        "gen_ai.usage.cache_read.input_tokens": "cache_read",
        "gen_ai.usage.reasoning.output_tokens": "reasoning",
    },
    "openinference": {
        "llm.token_count.prompt": "prompt",
        "llm.token_count.completion": "completion",
        "llm.token_count.prompt_details.cache_read": "cache_read",
        "llm.token_count.completion_details.reasoning": "reasoning",
        "llm.token_count.total": "total",
    },
    "traceloop": {
        "gen_ai.usage.input_tokens": "prompt",
        "gen_ai.usage.output_tokens": "completion",
        "gen_ai.usage.cache_read.input_tokens": "cache_read",
        "gen_ai.usage.reasoning_tokens": "reasoning",
        "gen_ai.usage.total_tokens": "total",
    },
}


@pytest.fixture(scope="module", params=sorted(NAMES))
def recorded(request):
    """The instrumentor's name, what was billed, and its spans, for one call of each kind."""
    script = Path(__file__).with_name("record_openai.py")
    command = [sys.executable, str(script), request.param]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    return request.param, *json.loads(done.stdout).values()


def inclusive(billed):
    """Billed counts as the three instrumentors report OpenAI's: the parts inside the wholes."""
    prompt = billed["input"] + billed["cache_read"]
    completion = billed["output"] + billed["reasoning"]
    return billed | {"prompt": prompt, "completion": completion, "total": prompt + completion}


@pytest.mark.parametrize("call", [CHAT, STREAMED, RESPONSES])
def test_cached_and_reasoning_tokens_are_reported_inside_the_totals(recorded, call):
    """Each instrumentor writes OpenAI's counts under its own names, parts inside the wholes."""
    instrumentor, usage, spans = recorded
    expected = inclusive(usage[call])
    attributes = spans[call]["attributes"]
    names = dict(NAMES[instrumentor])
    if (instrumentor, call) == ("traceloop", STREAMED):
        assert names.pop("gen_ai.usage.reasoning_tokens") not in attributes
    assert usage[call]["cache_read"] > 0
    assert usage[call]["reasoning"] > 0
    assert {n: attributes.get(n) for n in names} == {n: expected[w] for n, w in names.items()}


def test_embeddings_report_their_input(recorded):
    """An embedding has input tokens and nothing else."""
    instrumentor, usage, spans = recorded
    name = next(n for n, what in NAMES[instrumentor].items() if what == "prompt")
    assert spans[EMBEDDING]["attributes"][name] == usage[EMBEDDING]["input"] > 0


@pytest.mark.parametrize(("case_id", "call"), [("openai", CHAT), ("openai-streamed", STREAMED)])
def test_the_openai_cases_have_the_names_that_are_really_written(recorded, case_id, call):
    """A case of ours holds the usage attributes, and the scope, of the span it stands for."""
    instrumentor, _, spans = recorded
    cases = {c.id: c for c in CASES}
    case = cases.get(f"{instrumentor}-{case_id}", cases[f"{instrumentor}-openai"])
    prefixes = ("gen_ai.usage.", "llm.token_count.")
    written = {n for n in spans[call]["attributes"] if n.startswith(prefixes)}
    assert written == {n for n in case.attributes if n.startswith(prefixes)}
    assert spans[call]["scope"] == case.scope


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.id)
def test_expected_counts_add_up_to_what_was_billed(case):
    """Whatever a vocabulary reports, the disjoint counts of one call have one sum."""
    billed = {1300, 21, 6300, 0}
    assert case.expected.total in billed
    assert (case.expected == Disjoint()) == (case.kind == "agent")
    assert min(vars(case.expected).values()) >= 0
