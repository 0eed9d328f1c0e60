"""The OpenTelemetry Collector's own table answers the questions that AgentGuard's tables answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client

from agentguard_storage.clickhouse import connect, migrate
from tests.collector.conftest import wait_until
from tests.conftest import Engine
from tests.deploy.otel_corpus import requests
from tests.deploy.otel_writer import send, statements, table_statement, writer
from tests.deploy.otelcol_words import files, with_words
from tests.docs.markdown_pages import Page
from tests.storage.telemetry.telemetry_store import Store

OTEL, OURS, WRITTEN = "test_otelcol", "test_otelcol_ours", "test_otelcol_written"
# The same in both, to the letter.
EQUAL = (
    "trace_id", "span_id", "parent_span_id", "name", "kind::String", "status::String",
    "status_message", "start_time", "end_time", "duration_ns", "service", "environment", "session",
    "user", "agent", "tool", "call_hash", "provider", "model", "input_tokens", "cache_read_tokens",
    "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost", "cost_source::String",
    "price_version", "guard", "guard_action", "stop_reason", "trace_state",
    # rotel takes consumers for clients, which the OpenTelemetry Collector does not.
    "replace(span_kind::String, 'consumer', 'client') AS span_kind",
    "events.name", "events.time_unix_nano", "links.trace_state",
    "arrayMap(id -> hex(id), links.trace_id) AS linked_traces",
    "arrayMap(id -> hex(id), links.span_id) AS linked_spans",
)  # fmt: skip
# Of traces: what is added up, and what is put together otherwise.
SUMMED = (
    "span_count", "error_count", "llm_calls", "tool_calls", "unpriced_calls", "input_tokens",
    "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost",
)  # fmt: skip
MERGED = (
    "min(start_time) AS first", "max(end_time) AS last", "max(root_name) AS root",
    "min(first_span) AS one", "max(session) AS s", "max(user) AS u", "max(stop_reason) AS why",
    "max(stopped_by) AS by",
    "arraySort(groupUniqArrayArray(agents)) AS a", "arraySort(groupUniqArrayArray(models)) AS m",
    "arraySort(groupUniqArrayArray(services)) AS from", "max(environment) AS e",
)  # fmt: skip
STORAGE = Page("docs/storage.md")
QUERIES = {STORAGE.before(snippet): snippet.text for snippet in STORAGE.snippets("sql")}


@dataclass
class Both:
    """A connection to the database of otel_traces and its views, and one to ours; same spans."""

    otel: Client
    ours: Client

    def rows(self, sql: str, **parameters: Any) -> tuple[list[Any], list[Any]]:
        """What each of the two answers, ours second."""
        given = {"project": "otel", **parameters}
        return tuple(
            list(client.query(sql, parameters=given).named_results())
            for client in (self.otel, self.ours)
        )  # type: ignore[return-value]

    def select(
        self, columns: Iterable[str], table: str, *, by: str, grouped: bool = False
    ) -> tuple[list[Any], list[Any]]:
        """These columns of all rows, in order; or of the groups that `by` makes."""
        group = f"GROUP BY {by}" if grouped else ""
        return self.rows(f"SELECT {', '.join(columns)} FROM {table} {group} ORDER BY {by}")  # noqa: S608


@pytest.fixture(scope="module")
def both(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Both]:
    """The corpus, written by a collector of somebody else's and inserted as our collector does."""
    dsns = {
        name: engine.credentials.dsn("writer", "127.0.0.1", engine.port, name)
        for name in (OTEL, OURS)
    }
    migrate(dsns[OURS])
    corpus = requests()
    with connect(dsns[OURS]) as ours:
        Store(dsns[OURS], ours).insert(corpus, project="otel")
        for database in (WRITTEN, OTEL):
            ours.command(f"CREATE DATABASE {database}")
            ours.command(table_statement(database))
        for file in files():
            for statement in statements(file.read_text(encoding="utf-8"), OTEL, OURS):
                ours.command(statement)
        with writer(engine, WRITTEN, tmp_path_factory.mktemp("writer")) as address:
            send(address, corpus)
            expected = _count(ours, "spans")
            wait_until(lambda: _count(ours, f"{WRITTEN}.otel_traces") == expected, 60)
        # rotel gives an INSERT five seconds, too short to price all these on a busy machine.
        ours.command(f"INSERT INTO {OTEL}.otel_traces SELECT * FROM {WRITTEN}.otel_traces")  # noqa: S608
        with connect(dsns[OTEL]) as otel:
            yield Both(otel, ours)


def _count(client: Client, table: str) -> int:
    return int(client.query(f"SELECT count() FROM {table}").first_row[0])  # noqa: S608


def test_spans_are_the_same(both: Both) -> None:
    """Kind, names, times, tokens, cost and whatever else both can hold: no span differs."""
    found, expected = both.select(EQUAL, "spans", by="trace_id, span_id")
    assert len(expected) > 400
    wrong = [
        {name: (a[name], b[name]) for name in a if a[name] != b[name]}
        for a, b in zip(found, expected, strict=True)
        if a != b
    ]
    assert wrong[:3] == []


def test_the_corpus_is_rich(both: Both) -> None:
    """The comparison would notice a kind, a source of costs or a column that is wrong."""
    rich = ("session", "user", "agent", "tool", "environment", "guard", "status")
    columns = (
        "uniqExact(kind) AS kinds",
        "uniqExact(cost_source) AS sources",
        "countIf(cost_source = 'price table' AND cost > 0) AS priced",
        *(f"uniqExact({name}) AS u_{name}" for name in rich),
    )
    _, [row] = both.select(columns, "spans", by="project_id", grouped=True)
    assert (row["kinds"], row["sources"]) == (8, 5)
    assert row["priced"] > 150
    assert all(count > 2 for name, count in row.items() if name.startswith("u_"))


def test_attributes_are_there_as_text(both: Both) -> None:
    """Short texts are in `attributes`, whatever else a span has."""
    sql = (
        "SELECT span_id, mapFilter((k, v) -> startsWith(k, 'gen_ai.'), attributes) AS said"
        " FROM spans WHERE service IN ('meanings', 'prices') ORDER BY span_id"
    )
    found, expected = both.rows(sql)
    assert found == expected


def test_sums_are_the_same(both: Both) -> None:
    """Traces and hours have the same counts, tokens and dollars."""
    summed = [f"sum({name}) AS n_{name}" for name in SUMMED]
    found, expected = both.select(
        ["trace_id", *summed, *MERGED], "traces", by="trace_id", grouped=True
    )
    assert found == expected
    keys = "ts_hour, service, environment, agent, provider, model, kind"
    summed = [one for one in summed if "llm" not in one and "tool" not in one]
    found, expected = both.select([keys, *summed], "usage_hourly", by=keys, grouped=True)
    assert found == expected


@pytest.mark.parametrize("title", QUERIES)
def test_the_documented_queries_have_the_same_answers(both: Both, title: str) -> None:
    """Every query of docs/storage.md runs on the views as it is printed, and answers alike."""
    [[one], _] = both.rows("SELECT trace_id FROM spans WHERE name = 'messages'")
    found, expected = both.rows(QUERIES[title], trace=one["trace_id"])
    assert found
    if "LIMIT" not in QUERIES[title]:
        by_text = [sorted(map(repr, rows)) for rows in (found, expected)]
        assert by_text[0] == by_text[1]


@pytest.mark.parametrize("table", ["spans", "blobs", "traces", "usage_hourly", "sources"])
def test_the_columns_are_the_same(both: Both, table: str) -> None:
    """A query may name any column of the table, or all: the view has it, and no other."""
    assert both.otel.query(f"SELECT * FROM {table} LIMIT 5").result_rows  # noqa: S608
    found, expected = both.rows(
        "SELECT name FROM system.columns WHERE database = currentDatabase()"
        " AND table = {table:String} ORDER BY name",
        table=table,
    )
    assert found == expected


def test_the_words_are_the_vocabularys() -> None:
    """The files say what `python -m tests.deploy.otelcol_words` would write into them."""
    for file in files():
        text = file.read_text(encoding="utf-8")
        assert with_words(text) == text, f"{file}: run python -m tests.deploy.otelcol_words"
