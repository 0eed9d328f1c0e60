"""The month of spans that reading is timed on: the same in both schemas."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.trace import get_trace
from tests.bench import reading
from tests.bench.reading_questions import Store
from tests.bench.reading_spans import COPIES, LONG_TRACE, RARE_WORD, month
from tests.bench.stacks import Stack, agentguard_stack

SPANS, DAYS = 30_000, COPIES


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Stack, Store]]:
    """A month of ten days in a store of its own."""
    directory: Path = tmp_path_factory.mktemp("reading")
    with agentguard_stack(directory / "agentguard") as stack:
        made = month(SPANS, DAYS)
        reading.fill(stack, made)
        yield stack, reading.opened(stack, made)


def _rows(stack: Stack, sql: str) -> list[Any]:
    return list(stack.client.query(sql).result_rows)


def test_both_schemas_hold_the_same_spans(filled: tuple[Stack, Store]) -> None:
    """Every span id of ours is in the peer's table with its time, and the other way round."""
    stack, _ = filled
    ours = "SELECT count(), sum(cityHash64(trace_id, span_id, start_time)) FROM agentguard.spans"
    theirs = "SELECT count(), sum(cityHash64(TraceId, SpanId, Timestamp)) FROM otel.otel_traces"
    assert _rows(stack, ours) == _rows(stack, theirs)
    assert _rows(stack, ours)[0][0] > SPANS


def test_the_views_summed_up_every_span(filled: tuple[Stack, Store]) -> None:
    """Traces and hours count the spans that there are."""
    stack, _ = filled
    counts = [
        _rows(stack, f"SELECT sum(span_count) FROM agentguard.{table}")[0][0]  # noqa: S608  our own
        for table in ("traces", "usage_hourly")
    ]
    assert counts == [_rows(stack, "SELECT count() FROM agentguard.spans")[0][0]] * 2


def test_every_message_of_a_trace_can_be_put_together(filled: tuple[Stack, Store]) -> None:
    """What model calls were asked is in their attributes, the long trace's included."""
    _, store = filled
    for trace_id in (store.long_trace, store.opened[0]):
        trace = get_trace(store.reader, trace_id)
        assert trace is not None
        asked = [span for span in trace.spans if "gen_ai.input.messages" in span.attributes]
        assert len(asked) == trace.llm_calls > 0
    long = get_trace(store.reader, store.long_trace, contents=False)
    assert long is not None
    assert long.span_count == LONG_TRACE


def test_a_rare_word_is_in_both(filled: tuple[Stack, Store]) -> None:
    """The word that is searched for was said as often in one schema as in the other."""
    stack, _ = filled
    ours = f"SELECT uniqExact(trace_id) FROM agentguard.blobs WHERE content LIKE '%{RARE_WORD}%'"  # noqa: S608  our own
    theirs = (
        "SELECT uniqExact(TraceId) FROM otel.otel_traces"  # noqa: S608  our own
        f" WHERE arrayExists(v -> v LIKE '%{RARE_WORD}%', mapValues(SpanAttributes))"
    )
    assert _rows(stack, ours) == _rows(stack, theirs)


def test_small_projects_lie_between_the_big_ones_spans(filled: tuple[Stack, Store]) -> None:
    """A tenth of the traces belongs to others."""
    stack, store = filled
    [(others, of_all)] = _rows(
        stack, "SELECT uniqIf(trace_id, project_id != 'big'), uniq(trace_id) FROM agentguard.traces"
    )
    assert 0.03 < others / of_all < 0.2
    counted = "SELECT count() AS spans FROM spans WHERE project_id = {project:String}"
    small = [Reader(stack.client, f"small-{number}") for number in range(4)]
    assert any(reader.rows(counted)[0]["spans"] for reader in small)
    assert store.users
