"""What is rare is found by an index, and not by reading all there is."""

from __future__ import annotations

import pytest

from agentguard_storage.filters import Condition, parse, span_condition, trace_condition
from tests.storage.filters.filter_data import ALL_TIME, Filled


@pytest.fixture(scope="module")
def merged(filled: Filled) -> Filled:
    """Parts have their indexes once they were merged."""
    for table in ("spans", "blobs"):
        filled.store.client.command(f"OPTIMIZE TABLE {table} FINAL")
    return filled


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("tool:search", "named"),
        ("user:ada", "named"),
        ("attr.customer.tier:gold", "attribute_values"),
        ("attr.customer.tier:go*", "attribute_keys"),
        ("attr.result.rows:>7", "attribute_keys"),
        ("attr.customer.tier:*", "attribute_keys"),
        ("attr.customer.tier:*", "content_keys"),
    ],
)
def test_a_condition_on_spans_uses_an_index(merged: Filled, text: str, index: str):
    """An index is used only where the expression is its own, to the letter."""
    made = span_condition(parse(text))
    sql = f"SELECT trace_id FROM spans WHERE project_id = {{project:String}} AND {made.sql}"  # noqa: S608
    assert f"Name: {index}" in _plan(merged, Condition(sql, made.parameters))


@pytest.mark.parametrize("text", ["otters", '"rare otters"'])
def test_a_text_is_looked_up_in_contents_long_and_short(merged: Filled, text: str):
    """Neither is read through: a month of them is gigabytes."""
    made = trace_condition(parse(text))
    # What is inside of an IN is answered before the plan is made, and would not be in it.
    inside = made.sql.removeprefix("(trace_id IN (").removesuffix("))")
    plan = _plan(merged, Condition(inside, made.parameters))
    assert "Name: content_text" in plan
    assert "Name: said_text" in plan


def _plan(filled: Filled, statement: Condition) -> str:
    rows = filled.reader.rows(
        f"EXPLAIN indexes = 1 {statement.sql}", ALL_TIME.parameters() | statement.parameters
    )
    return "\n".join(str(row["explain"]) for row in rows)
