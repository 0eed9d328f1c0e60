"""The schema comes about once, whoever asks for it, how often, and whatever interrupts."""

import re
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from uuid import uuid4

import pytest

from agentguard_storage.clickhouse import connect, migrate
from agentguard_storage.clickhouse.migrate import schema_version
from agentguard_storage.clickhouse.schema import migrations
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.trace import get_trace
from tests.storage.telemetry.telemetry_store import KEPT, Store, make_span, request_of

STEPS = migrations()
STATEMENTS = [statement for step in STEPS for statement in step.statements]
CLUSTER = [s for step in migrations(cluster="c") for s in step.statements]
NAMED = re.compile(r"CREATE [A-Z ]+ IF NOT EXISTS (\w+) (ON CLUSTER `\w+`)?")
CALL = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.usage.input_tokens": 1_000_000,
}


@pytest.fixture
def make_database(engine):
    """Makes names of databases that are gone after the test, as DSNs."""
    made = []

    def make():
        made.append(f"migrated_{uuid4().hex[:8]}")
        return engine.credentials.dsn("writer", "127.0.0.1", engine.port, made[-1])

    yield make
    with connect(engine.credentials.dsn("writer", "127.0.0.1", engine.port, "default")) as client:
        for name in made:
            client.command(f"DROP DATABASE IF EXISTS {name}")


def schema_of(client):
    """Every table and view as it was defined, whatever its database is called."""
    found = client.query(
        "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()"
        " ORDER BY name"
    ).result_rows
    database = client.command("SELECT currentDatabase()")
    return {name: query.replace(database, "db") for name, query in found}


def assert_complete(dsn, expected):
    """The database has the whole schema, each step noted once, and prices a call once."""
    with connect(dsn) as client:
        assert schema_of(client) == expected
        noted = "SELECT number FROM schema_migrations FINAL ORDER BY number"
        numbers = [row[0] for row in client.query(noted).result_rows]
        assert numbers == [step.number for step in STEPS[1:]]
        assert schema_version(client) == STEPS[-1].number
        span = make_span(CALL)
        Store(dsn, client).insert([request_of(span)])
        trace = get_trace(Reader(client, "default"), span.trace_id.hex())
        [row] = trace.spans
        assert row.cost == Decimal("2.5")


@pytest.fixture(scope="module")
def complete(store):
    """The schema as one undisturbed migration makes it."""
    return schema_of(store.client)


def test_a_second_migration_changes_nothing(store, complete):
    """A database that is up to date stays as it is, prices included."""
    prices = "SELECT count(), uniqExact(version), sum(priority) FROM price_rules"
    before = store.client.query(prices).result_rows
    assert migrate(store.dsn) == []
    assert schema_of(store.client) == complete
    assert store.client.query(prices).result_rows == before


def test_migrations_at_once_end_in_one_schema(make_database, complete):
    """Four processes that start together on an empty database do not disturb each other."""
    dsn = make_database()
    with ThreadPoolExecutor(4) as pool:
        for future in [pool.submit(migrate, dsn) for _ in range(4)]:
            future.result()
    assert_complete(dsn, complete)


def test_an_interrupted_migration_is_finished_by_the_next(make_database, complete):
    """Whichever statement was the last one, the next migration ends in the same schema."""
    resumed = []
    for last in range(0, len(STATEMENTS), 5):
        dsn = make_database()
        database = dsn.rpartition("/")[2]
        with connect(dsn.replace(database, "default")) as client:
            client.command(f"CREATE DATABASE {database}")
        with connect(dsn) as client:
            for statement in STATEMENTS[: last + 1]:
                client.command(statement)
        migrate(dsn)
        with connect(dsn) as client:
            resumed.append(schema_of(client) == complete)
    assert resumed
    assert all(resumed)
    assert_complete(dsn, complete)


def test_a_migration_that_fails_between_steps_is_resumed(make_database, complete):
    """Steps that were noted are not run again; the others are."""
    dsn = make_database()
    names = [step.name for step in STEPS[1:]]

    def give_up(name):
        if name == names[2]:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        migrate(dsn, on_step=give_up)
    assert migrate(dsn) == names[2:]
    assert_complete(dsn, complete)


@pytest.mark.parametrize("statement", CLUSTER, ids=lambda s: NAMED.search(s)[1])
def test_the_cluster_form_is_understood_by_the_engine(store, statement):
    """Every statement of the cluster form parses, and is carried out on the whole cluster."""
    assert store.client.raw_query(f"EXPLAIN AST {statement}").startswith(b"Create")
    assert NAMED.search(statement)[2] == "ON CLUSTER `c`"


def test_every_kept_table_is_replicated_and_distributed():
    """On a cluster whatever is kept has replicas, and its name leads to every shard."""
    tables = [statement for statement in CLUSTER if "CREATE TABLE" in statement]
    engines = {NAMED.search(t)[1]: re.search(r"\bENGINE = (.+)", t)[1] for t in tables}
    for name, engine in engines.items():
        if name.startswith("otlp_"):
            assert engine == "Null"
        elif engine.startswith("Distributed"):
            assert f"`c`, currentDatabase(), {name}_local" in engine
        else:
            assert engine.startswith("Replicated")
    for table in KEPT:
        assert engines[f"{table}_local"].startswith("Replicated")
        assert engines[table].startswith("Distributed")


def test_views_of_the_cluster_form_write_where_they_are():
    """A view that wrote through a Distributed table would send its rows over the network."""
    views = [statement for statement in CLUSTER if "MATERIALIZED VIEW" in statement]
    targets = {re.search(r"\bTO (\w+)", view)[1] for view in views}
    assert targets
    assert all(t.endswith("_local") or t.startswith("otlp_") for t in targets)
