"""What the reader may not do, however it is put."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.conftest import Engine
from tests.plain_http import NO_TLS
from tests.storage.embedded.conftest import as_writer

SOURCES = [
    "file('/etc/hostname', LineAsString)",
    "`file`('/etc/hostname', LineAsString)",
    "`fi\\x6ce`('/etc/hostname', LineAsString)",
    "loop(file('/etc/hostname', LineAsString))",
    "view(SELECT * FROM file('/etc/hostname', LineAsString))",
    "filesystem('/etc')",
    "url('http://127.0.0.1:1/', LineAsString)",
    "s3('http://bucket.s3.amazonaws.com/key', CSV, 'a String')",
    "remote('127.0.0.1:1', system.one)",
    "mysql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "postgresql('127.0.0.1:1', 'a', 'b', 'c', 'd')",
    "mongodb('127.0.0.1:1', 'a', 'b', 'c', 'd', 'e')",
    "redis('127.0.0.1:1', 'k', 'k String, v String')",
    "icebergLocal('/tmp')",
    "odbc('DSN=x', 'a', 'b')",
    "hdfs('hdfs://127.0.0.1:1/x', CSV, 'a String')",
]


@pytest.fixture(scope="module")
def database(engine: Engine) -> Iterator[str]:
    """One database for all: whatever is asked here leaves it as it was."""
    with as_writer(engine) as client:
        client.post("/", content="CREATE DATABASE read_only").raise_for_status()
        table = "CREATE TABLE read_only.t (a Int32) ENGINE = MergeTree ORDER BY a"
        client.post("/", content=table).raise_for_status()
        client.post("/", content="INSERT INTO read_only.t VALUES (7)").raise_for_status()
        yield "read_only"
        client.post("/", content="DROP DATABASE read_only").raise_for_status()


@pytest.fixture(scope="module")
def ask(engine: Engine, database: str):
    """Send a statement as the reader."""
    auth = ("reader", engine.credentials.reader)
    with httpx2.Client(base_url=engine.url, auth=auth, timeout=30, verify=NO_TLS) as client:
        yield lambda sql, **settings: client.post(
            "/", params={"query": sql, "database": database} | settings
        )


def _code(answer: httpx2.Response) -> str:
    return answer.headers.get("x-clickhouse-exception-code", f"none: {answer.text}")


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize(
    "form",
    ["SELECT * FROM {}", "WITH x AS (SELECT * FROM {}) SELECT * FROM x", "DESCRIBE TABLE {}"],
)
def test_no_way_to_the_host_or_the_network(ask, source: str, form: str):
    """Table functions that leave the store are denied, nested or spelt oddly."""
    assert _code(ask(form.format(source))) == "497"


@pytest.mark.parametrize(
    "expression",
    [
        "file('/etc/hostname')",
        "`fi\\x6ce`('/etc/hostname')",
        "arrayMap(file, ['/etc/hostname'])",
        "arrayMap(x -> file(x), ['/etc/hostname'])",
        "* APPLY(file) FROM (SELECT '/etc/hostname')",
    ],
)
def test_the_function_file_is_gone(ask, expression: str):
    """The scalar function that reads files cannot be reached under any name."""
    assert _code(ask(f"SELECT {expression}")) == "497"


@pytest.mark.parametrize("path", ["'/etc/hostname'", "`/etc/hostname`", "`../../etc/hostname`"])
@pytest.mark.parametrize("where", ["default", "agentguard"])
def test_a_path_is_no_table(ask, path: str, where: str):
    """A file's path in place of a table's name opens nothing in any database."""
    assert _code(ask(f"SELECT * FROM {path}", database=where)) in ("497", "60")  # noqa: S608


def test_the_control_planes_database_cannot_be_read(ask, tmp_path: Path):
    """An SQLite file on the host stays closed."""
    path = tmp_path / "control.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE keys (hash TEXT)")
    assert _code(ask(f"SELECT * FROM sqlite('{path}', 'keys')")) == "497"  # noqa: S608


@pytest.mark.parametrize(
    "sql",
    [
        "INSERT INTO t VALUES (1)",
        "INSERT INTO t FORMAT CSV 1",
        "INSERT INTO FUNCTION file('/tmp/x', CSV, 'a Int') VALUES (1)",
        "CREATE TABLE x (a Int) ENGINE = Memory",
        "CREATE TEMPORARY TABLE x (a Int)",
        "DROP TABLE t",
        "TRUNCATE TABLE t",
        "ALTER TABLE t DELETE WHERE 1",
        "OPTIMIZE TABLE t",
        "KILL QUERY WHERE 1",
        "SYSTEM FLUSH LOGS",
        "SET max_threads = 1",
        "SET ROLE writer",
        "SET ROLE ALL",
        "USE system",
        "GRANT writer TO default",
        "CREATE USER x",
        "BACKUP TABLE t TO File('/tmp/x')",
        "SELECT 1 INTO OUTFILE '/tmp/agentguard-must-not-exist'",
        "CREATE FUNCTION f AS x -> x",
        "ATTACH TABLE x",
        "DETACH TABLE t",
    ],
)
def test_the_reader_only_reads(ask, http: httpx2.Client, sql: str):
    """Every statement but a query is denied, and changes nothing."""
    assert _code(ask(sql)) in ("497", "164"), sql
    assert http.post("/", content="SELECT * FROM t").text == "7\n"
    assert not Path("/tmp/agentguard-must-not-exist").exists()  # noqa: S108


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("max_execution_time", "0"),
        ("max_execution_time", "9999"),
        ("max_memory_usage", "0"),
        ("max_result_rows", "0"),
        ("max_result_bytes", "99999999999"),
        ("readonly", "0"),
        ("allow_ddl", "1"),
        ("max_untracked_memory", "99999999999"),
        ("format_template_row", "/etc/hostname"),
        ("format_schema", "/etc/hostname"),
        ("format_avro_schema_registry_url", "http://127.0.0.1:1"),
    ],
)
def test_limits_stay(ask, name: str, value: str):
    """No URL setting and no SETTINGS clause lifts a limit, not even beside another profile."""
    for answer in (
        ask("SELECT 1", **{name: value}),
        ask(f"SELECT 1 SETTINGS {name} = '{value}'"),
        ask(f"SELECT 1 SETTINGS profile = 'writer', {name} = '{value}'"),
        ask("SELECT 1", profile="writer", **{name: value}),
    ):
        assert _code(answer) in ("452", "164", "392"), answer.text


def test_limits_hold_inside_subqueries(ask):
    """A SETTINGS clause of a subquery is clamped."""
    answer = ask(
        "SELECT * FROM (SELECT getSetting('max_execution_time') SETTINGS max_execution_time = 9999)"
    )
    assert answer.text == "60\n"
    template = "SELECT * FROM (SELECT * FROM format(Template, 'a String', 'x') SETTINGS format_template_row = '/etc/hostname')"  # noqa: E501
    assert Path("/etc/hostname").read_text().strip() not in ask(template).text


def test_limits_can_be_lowered_and_bite(ask):
    """A query past its time, rows or memory ends with ClickHouse's own code."""
    assert (
        _code(ask("SELECT sum(sipHash64(number)) FROM system.numbers", max_execution_time="1"))
        == "159"
    )
    assert _code(ask("SELECT number FROM numbers(2000000) FORMAT JSON")) == "396"
    assert _code(ask("SELECT groupArray(number) FROM numbers(200000000)")) == "241"


def test_the_role_parameter_is_no_way_up(ask):
    """`role` in the URL changes nothing."""
    assert ask("SELECT currentRoles()", role="writer").text == "['reader']\n"


def test_ordinary_reading_works(ask):
    """Harmless settings, table functions and the catalogue stay usable."""
    for sql in (
        "SELECT sum(number) FROM numbers(10) SETTINGS max_threads = 1",
        "SELECT * FROM values('a Int', 45)",
        "SELECT toInt8(a) FROM format(TSV, 'a Int8', '45')",
        "WITH 45 AS x SELECT x",
        "SELECT 45 UNION ALL SELECT 45 LIMIT 1",
    ):
        assert ask(sql).text.startswith("45"), ask(sql).text
