"""The SQL in storage.md answers what it is said to, and the columns are the engine's."""

from __future__ import annotations

from decimal import Decimal

import pytest
from clickhouse_connect.driver.client import Client

from tests.docs.markdown_pages import Page

STORAGE, ARCHITECTURE = Page("docs/storage.md"), Page("docs/architecture.md")
QUERIES = {STORAGE.before(snippet): snippet.text for snippet in STORAGE.snippets("sql")}
INTERNAL = {"provider_rules", "price_rules", "schema_migrations"}


def answer(title: str, reader, service: str = "plain-opentelemetry") -> list[dict]:
    """The rows of the query whose introduction begins with `title`, about the examples."""
    [sql] = [sql for introduction, sql in QUERIES.items() if introduction.startswith(title)]
    [trace] = {span.trace_id.hex() for span in reader.spans(service)}
    parameters = {"project": reader.project, "trace": trace}
    return list(reader.pipeline.client.query(sql, parameters=parameters).named_results())


@pytest.mark.parametrize("title", QUERIES)
def test_every_query_has_an_answer(title, reader, examples):
    """Each query runs as it is printed and finds something of what the examples left."""
    assert answer(title, reader)


def test_costs_per_model_are_all_costs(reader, examples):
    """The costs by model add up to what all spans cost."""
    total = reader.pipeline.client.query(
        "SELECT sum(cost) FROM spans WHERE project_id = {project:String}",
        parameters={"project": reader.project},
    ).first_row[0]
    models = answer("What each model cost", reader)
    assert sum((row["dollars"] for row in models), Decimal(0)) == total


def test_failing_tools_are_seen(reader, examples):
    """The one call that failed in the examples is an error of its tool."""
    tools = {row["tool"]: row for row in answer("The slowest tools", reader)}
    assert (tools["read_page"]["calls"], tools["read_page"]["errors"]) == (2, 1)


@pytest.mark.parametrize("service", ["plain-opentelemetry", "decorators"])
def test_messages_are_put_together_to_the_letter(service, reader, examples):
    """The joined texts are the long attributes that were sent, none missing and none changed."""
    answers = answer("Everything that was", reader, service)
    joined = {(row["key"], row["content"]) for row in answers}
    sent = {
        (attribute.key, attribute.value.string_value)
        for span in reader.spans(service)
        for attribute in span.attributes
        if len(attribute.value.string_value.encode()) >= 128
    }
    assert joined == sent
    assert any("patient with children" in text or "Sea otters" in text for _, text in joined)


def columns(client: Client, table: str) -> set[str]:
    """The columns of a table as the engine has them."""
    found = client.query(
        "SELECT name FROM system.columns WHERE database = currentDatabase()"
        " AND table = {table:String}",
        parameters={"table": table},
    )
    return {row[0] for row in found.result_rows}


@pytest.mark.parametrize("table", ["spans", "blobs", "traces", "usage_hourly", "sources"])
def test_the_documented_columns_are_the_engines(pipeline, table):
    """Every column is documented, and no other."""
    assert STORAGE.first_cells(table) == columns(pipeline.client, table)


def test_the_documented_tables_are_the_engines(pipeline):
    """The architecture names every table and view of the database, and no other."""
    found = pipeline.client.query(
        "SELECT name, engine = 'MaterializedView' FROM system.tables"
        " WHERE database = currentDatabase()"
    ).result_rows
    tables = {name for name, is_view in found if not is_view}
    views = {name for name, is_view in found if is_view}
    documented = ARCHITECTURE.first_cells("The store")
    assert documented | INTERNAL == tables
    assert all(f"`{view}`" in ARCHITECTURE.text for view in views)
    assert all(f"`{table}`" in ARCHITECTURE.text for table in INTERNAL)
