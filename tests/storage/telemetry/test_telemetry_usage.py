"""What real instrumentors say of a call lands in the promoted columns."""

import pytest

from tests.interop.usage_shapes import CASES, Disjoint
from tests.storage.telemetry.telemetry_store import make_span, request_of


@pytest.fixture(scope="module")
def landed(store):
    """The stored row of each case, by the case's id."""
    spans = {case.id: make_span(case.attributes) for case in CASES}
    store.insert([request_of(spans[case.id], scope=case.scope) for case in CASES], project="usage")
    return {
        case_id: store.spans("usage", span.trace_id.hex())[0] for case_id, span in spans.items()
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_token_counts_are_made_disjoint(landed, case):
    """No token is counted twice, whichever vocabulary reported it, and the kind is right."""
    row = landed[case.id]
    counts = (row.input_tokens, row.cache_read_tokens, row.cache_write_tokens, row.output_tokens)
    assert Disjoint(*counts, row.reasoning_tokens) == case.expected
    assert row.kind == case.kind


WRAPS = "agentguard.wraps_model_call"
CALL = {"gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai"}
CALL |= {"gen_ai.usage.input_tokens": 1000, "agentguard.cost.usd": 0.5}
AS_MODEL_CALL = [
    {"gen_ai.operation.name": "chat"},
    {"gen_ai.operation.name": "embeddings"},
    {"openinference.span.kind": "LLM"},
    {"llm.request.type": "chat"},
    {},
]


@pytest.mark.parametrize("said", AS_MODEL_CALL, ids=str)
@pytest.mark.parametrize("wraps", [True, False, "true", 1])
def test_what_stands_around_a_model_call_is_not_counted(store, project, said, wraps):
    """A span that wraps one is a workflow without tokens or cost; that takes the bool true."""
    span = make_span(CALL | said | {WRAPS: wraps})
    store.insert([request_of(span)], project=project)
    [row] = store.spans(project, span.trace_id.hex())
    assert (row.provider, row.model) == ("openai", "gpt-4o")
    if wraps is True:
        assert (row.kind, row.input_tokens, row.cost, row.cost_source) == ("workflow", 0, None, "")
    else:
        assert row.kind in ("llm", "embedding")
        assert (row.input_tokens, row.cost_source) == (1000, "stated")
