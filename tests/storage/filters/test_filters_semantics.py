"""What filters find, beside the same question asked in plain Python."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentguard_storage.filters import parse, span_condition
from agentguard_storage.queries.hours import TimeRange
from tests.storage.filters.filter_data import Filled
from tests.storage.filters.filter_plainly import Plain
from tests.storage.filters.filter_texts import filters

AT_ONCE = 12


@pytest.fixture(scope="session")
def plain(filled: Filled) -> Plain:
    """The same spans, in memory."""
    return Plain(filled.store, filled.project)


@pytest.mark.parametrize("examples", [6, pytest.param(60, marks=pytest.mark.soak)])
@pytest.mark.timeout(600)
def test_the_engine_agrees_with_plain_python(filled: Filled, plain: Plain, examples: int):
    """Whatever filter is made up, the engine finds just the spans that it is true of."""

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck))
    @given(texts=st.lists(filters, min_size=AT_ONCE, max_size=AT_ONCE))
    def agrees(texts: list[str]) -> None:
        for text, found in zip(texts, filled.matches(texts), strict=True):
            assert found == plain.found(parse(text)), text

    agrees()


def test_a_long_attribute_is_found_by_its_whole_value(filled: Filled, plain: Plain):
    """Texts that the store keeps in pieces are compared to the letter all the same."""
    long = {
        (key, value)
        for row in plain.spans.values()
        for key, value in row["sent"].items()
        if len(value.encode()) >= 128
    }
    forms = {(key, value[-2:], '}, {"role"' in value): (key, value) for key, value in sorted(long)}
    assert len(forms) >= 3
    for key, value in forms.values():
        for written in (value, value + " "):
            quoted = '"' + written.replace("\\", "\\\\").replace('"', '\\"') + '"'
            text = f'attr."{key}":{quoted}'
            assert filled.spans(text) == plain.found(parse(text))
            assert bool(filled.spans(text)) == (written == value)


@pytest.mark.parametrize("text", ["refund", "trace.spans:>0", "trace.tool:*", "name:* < root:true"])
def test_nothing_is_looked_for_outside_the_range(filled: Filled, text: str):
    """What a filter asks of traces, texts and relations is asked of the range's hours alone."""
    before = TimeRange(datetime(2000, 1, 1, tzinfo=UTC), datetime(2001, 1, 1, tzinfo=UTC))
    assert filled.spans(text)
    made = span_condition(parse(text))
    rows = filled.reader.rows(
        "SELECT span_id FROM spans"  # noqa: S608  compiled
        f" WHERE project_id = {{project:String}} AND {made.sql}",
        before.parameters() | made.parameters,
    )
    assert rows == []


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=filters)
def test_a_trace_is_listed_when_one_of_its_spans_matches(filled: Filled, plain: Plain, text: str):
    """Traces are those of the spans that match, by whichever way they are looked up."""
    assert filled.traces(text) == {trace for trace, _ in plain.found(parse(text))}
