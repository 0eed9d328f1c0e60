"""Every example runs, and leaves the trace that it is an example of."""

from __future__ import annotations

from collections import Counter

import pytest

LEAVES = {
    "plain_opentelemetry.py": ("plain-opentelemetry", Counter(other=1, llm=2), 0),
    "decorators.py": ("decorators", Counter(workflow=2, agent=1, tool=3, llm=1), 1),
}


def test_every_example_is_run(examples):
    """There is no example whose trace is not looked at."""
    assert set(examples) == set(LEAVES)


@pytest.mark.parametrize("name", LEAVES)
def test_examples_leave_one_priced_trace(examples, reader, name):
    """An example prints an answer and leaves one trace with its kinds, errors, tokens and cost."""
    service, kinds, errors = LEAVES[name]
    assert "Answer" in examples[name]
    [trace] = reader.traces(service)
    spans = reader.cli("trace", str(trace["trace_id"]), "--project", reader.project)
    assert Counter(span["kind"] for span in spans) == kinds
    assert trace["error_count"] == errors
    assert trace["input_tokens"] > 0
    assert trace["output_tokens"] > 0
    assert float(trace["cost"]) > 0
    assert trace["models"] == ["gpt-4o-mini"]
