"""What real instrumentors say of a call lands in the promoted columns."""

import pytest

from agentguard_storage.queries.traces import get_trace
from tests.interop.usage_shapes import CASES, Disjoint
from tests.storage.telemetry.telemetry_store import make_span, request_of


@pytest.fixture(scope="module")
def landed(store):
    """The stored row of each case, by the case's id."""
    spans = {case.id: make_span(case.attributes) for case in CASES}
    store.insert([request_of(spans[case.id], scope=case.scope) for case in CASES], project="usage")
    return {
        case_id: get_trace(store.client, "usage", span.trace_id.hex())[0]
        for case_id, span in spans.items()
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_token_counts_are_made_disjoint(landed, case):
    """No token is counted twice, whichever vocabulary reported it, and the kind is right."""
    row = landed[case.id]
    counts = (row.input_tokens, row.cache_read_tokens, row.cache_write_tokens, row.output_tokens)
    assert Disjoint(*counts, row.reasoning_tokens) == case.expected
    assert row.kind == case.kind
