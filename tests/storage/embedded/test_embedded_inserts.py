"""INSERTs whose data comes in the body: every format, settings, tokens, damage."""

from __future__ import annotations

import json

import httpx2
import pytest

from tests.conftest import Engine

SCHEMA = 'syntax = "proto3"; message Row { uint64 a = 1; string b = 2; }'
PROTOBUF = {
    "format_schema_source": "string",
    "format_schema": SCHEMA,
    "format_schema_message_name": "Row",
}


def _varint(number: int) -> bytes:
    parts = bytearray()
    while number > 0x7F:
        parts.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes(parts) + bytes([number])


def _records(numbers: range, text: bytes) -> bytes:
    records = bytearray()
    for number in numbers:
        record = b"\x08" + _varint(number) + b"\x12" + _varint(len(text)) + text
        records += _varint(len(record)) + record
    return bytes(records)


@pytest.fixture
def table(http: httpx2.Client) -> str:
    """A MergeTree that remembers insert tokens, with a view behind it that counts."""
    window = "SETTINGS non_replicated_deduplication_window = 100"
    http.post(
        "/", content=f"CREATE TABLE t (a UInt64, b String) ENGINE = MergeTree ORDER BY a {window}"
    )
    http.post(
        "/", content=f"CREATE TABLE sums (n UInt64) ENGINE = SummingMergeTree ORDER BY () {window}"
    )
    made = http.post(
        "/", content="CREATE MATERIALIZED VIEW v TO sums AS SELECT count() AS n FROM t"
    )
    assert made.status_code == 200, made.text
    return "t"


def _ask(http: httpx2.Client, sql: str) -> str:
    answer = http.post("/", content=sql)
    assert answer.status_code == 200, answer.text
    return answer.text


@pytest.mark.parametrize(
    ("statement", "data"),
    [
        ("INSERT INTO t FORMAT TSV", b"1\tone\n2\ttwo\n"),
        ("insert into t (b, a) format CSV", b'"one",1\n"two",2\n'),
        ("INSERT INTO t FORMAT JSONEachRow", b'{"a":1,"b":"one"}\n{"a":2,"b":"two"}'),
        ("INSERT INTO t VALUES", b"(1,'one'),(1+1,lower('TWO'))"),
        (
            "INSERT INTO t (a, b) SETTINGS max_insert_threads = 1 FORMAT Values",
            b"(1,'one'),(2,'two')",
        ),
        (
            "INSERT /* FORMAT CSV */ INTO `t` FORMAT RowBinary",
            b"\1\0\0\0\0\0\0\0\3one\2\0\0\0\0\0\0\0\3two",
        ),
    ],
)
def test_formats(http: httpx2.Client, table: str, statement: str, data: bytes):
    """The statement may stand in the URL or before its data in the body."""
    for params, content in (({"query": statement}, data), ({}, statement.encode() + b"\n" + data)):
        answer = http.post("/", params=params, content=content)
        assert answer.status_code == 200, answer.text
        assert (
            json.loads(answer.headers["x-clickhouse-summary"])["written_rows"] == "3"
        )  # the view's too
        assert _ask(http, "SELECT * FROM t ORDER BY a") == "1\tone\n2\ttwo\n"
        _ask(http, "TRUNCATE TABLE t")


def test_input_is_refused_rather_than_empty(http: httpx2.Client, table: str):
    """INSERT ... SELECT FROM input(), which the engine would run without its data, is an error."""
    statement = "INSERT INTO t SELECT a, b FROM input ('a UInt64, b String') FORMAT CSV"
    answer = http.post("/", params={"query": statement}, content=b"1,one\n")
    assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (501, "48")
    _ask(http, "INSERT INTO t SELECT 1, ' input(' AS input")


def test_statements_without_a_body(http: httpx2.Client, table: str):
    """Inline VALUES and INSERT ... SELECT need no data besides."""
    _ask(http, "INSERT INTO t VALUES (1, 'FORMAT'), (2, 'x;y')")
    _ask(http, "INSERT INTO t SELECT a + 2, b FROM t")
    bound = http.post(
        "/", params={"query": "INSERT INTO t VALUES ({n:UInt64}, 'p')", "param_n": "9"}
    )
    assert bound.status_code == 200, bound.text
    assert (
        _ask(http, "SELECT a, b FROM t ORDER BY a")
        == "1\tFORMAT\n2\tx;y\n3\tFORMAT\n4\tx;y\n9\tp\n"
    )


def test_protobuf_with_a_schema_in_the_url_is_inserted_once_per_token(
    http: httpx2.Client, table: str
):
    """A body of megabytes is parsed with the URL's schema; the same token again adds nothing."""
    data = _records(range(6000), b"x" * 1000)
    params = PROTOBUF | {
        "query": "INSERT INTO t FORMAT Protobuf",
        "deduplicate_blocks_in_dependent_materialized_views": "1",
    }
    for token, rows in (("one", 6000), ("one", 6000), ("two", 12000), ("one", 12000)):
        answer = http.post("/", params=params | {"insert_deduplication_token": token}, content=data)
        assert answer.status_code == 200, answer.text
        assert _ask(http, "SELECT count() FROM t") == f"{rows}\n"
        assert _ask(http, "SELECT sum(n) FROM sums") == f"{rows}\n"


@pytest.mark.parametrize("data", [b"\xff" * 999, _records(range(50), b"y" * 99)[:-7]])
def test_bad_data_is_refused_and_nothing_of_it_kept(http: httpx2.Client, table: str, data: bytes):
    """Data that does not parse to its end is an error, and no row stays."""
    answer = http.post(
        "/", params=PROTOBUF | {"query": "INSERT INTO t FORMAT Protobuf"}, content=data
    )
    assert answer.status_code >= 400
    assert answer.text.startswith("Code: ")
    assert _ask(http, "SELECT count() FROM t") == "0\n"


def test_a_body_that_never_ends_is_not_stored(engine: Engine, http: httpx2.Client, table: str):
    """A client that hangs up in the middle of its data leaves nothing behind."""

    def half() -> object:
        yield b"1\tone\n" * 1000
        raise ConnectionAbortedError

    with pytest.raises(ConnectionAbortedError):
        http.post("/", params={"query": "INSERT INTO t FORMAT TSV"}, content=half())
    assert _ask(http, "SELECT count() FROM t") == "0\n"


def test_asynchronous_insert_settings_are_harmless(http: httpx2.Client, table: str):
    """`async_insert` is accepted; the rows are there when the answer comes."""
    params = {
        "query": "INSERT INTO t FORMAT CSV",
        "async_insert": "1",
        "wait_for_async_insert": "1",
    }
    assert http.post("/", params=params, content="1,a\n").status_code == 200
    assert _ask(http, "SELECT count() FROM t") == "1\n"


def test_missing_table_and_format_are_named(http: httpx2.Client):
    """What does not exist is said before data is taken."""
    for statement, code in (
        ("INSERT INTO absent FORMAT CSV", "60"),
        ("INSERT INTO FUNCTION null('a Int') FORMAT Absent", "73"),
    ):
        answer = http.post("/", params={"query": statement}, content=b"1\n")
        assert (answer.status_code, answer.headers["x-clickhouse-exception-code"]) == (404, code)
