"""clickhouse-connect works unchanged, as writer and as reader."""

from __future__ import annotations

import gzip
from datetime import datetime
from decimal import Decimal

import clickhouse_connect
import lz4.frame
import pandas
import pytest
import zstandard
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError

from tests.conftest import Engine

PACK = {"gzip": gzip.compress, "zstd": zstandard.compress, "lz4": lz4.frame.compress}

# clickhouse-connect gives UTC times without a time zone.
ROWS = [
    [1, "ünï", datetime(2026, 1, 2, 3, 4, 5), Decimal("1.250000"), ["a", "b"], {"k": "v"}, None],  # noqa: DTZ001
    [2**63, "", datetime(1999, 1, 1), Decimal("-0.000001"), [], {}, 7],  # noqa: DTZ001
]
COLUMNS = ["id", "text", "at", "cost", "tags", "attributes", "maybe"]


@pytest.fixture
def table(writer: Client) -> str:
    """A table with a column of every kind that the project stores."""
    writer.command(
        "CREATE TABLE t (id UInt64, text String, at DateTime64(9, 'UTC'), cost Decimal(18, 6), "
        "tags Array(LowCardinality(String)), attributes Map(String, String), maybe Nullable(Int32)) "  # noqa: E501
        "ENGINE = MergeTree ORDER BY id"
    )
    return "t"


def test_what_is_inserted_is_read_back(writer: Client, reader: Client, table: str):
    """Native inserts and queries keep every value, for both users."""
    summary = writer.insert(table, ROWS, column_names=COLUMNS)
    assert summary.written_rows == 2
    for client in (writer, reader):
        rows = client.query(f"SELECT * FROM {table} ORDER BY id").result_rows  # noqa: S608
        assert [list(row) for row in rows] == ROWS


def test_parameters_settings_and_commands(reader: Client):
    """Bound parameters, harmless settings and commands work for the reader."""
    result = reader.query(
        "SELECT {a:UInt8} + 1, {b:String}, getSetting('max_threads')",
        parameters={"a": 3, "b": "it's"},
        settings={"max_threads": 1},
    )
    assert result.result_rows == [(4, "it's", 1)]
    assert reader.command("SELECT version()").startswith("26.")
    assert reader.command("EXISTS TABLE absent") == 0


def test_empty_results_keep_their_columns(reader: Client):
    """A result without rows is empty, not an error."""
    assert reader.query("SELECT 1 AS x WHERE 0").result_rows == []
    assert list(reader.query_df("SELECT 1 AS x WHERE 0").columns) in (["x"], [])
    assert reader.raw_query("SELECT 1 AS x WHERE 0", fmt="CSVWithNames") == b'"x"\n'


def test_data_frames_and_arrow(writer: Client, reader: Client, table: str):
    """pandas goes in and comes out, and Arrow comes out."""
    writer.insert_df(table, pandas.DataFrame({"id": [5, 6], "text": ["a", "b"]}))
    frame = reader.query_df(f"SELECT id, text FROM {table} ORDER BY id")  # noqa: S608
    assert frame.to_dict("list") == {"id": [5, 6], "text": ["a", "b"]}
    assert reader.query_arrow(f"SELECT id FROM {table} ORDER BY id")["id"].to_pylist() == [5, 6]  # noqa: S608


@pytest.mark.parametrize("compression", [None, "gzip", "zstd", "lz4"])
def test_raw_insert_and_raw_query(writer: Client, table: str, compression: str | None):
    """Bytes in a text format pass through as they are, packed or not."""
    data = b"1,one\n2,two\n"
    packed = PACK[compression](data) if compression else data
    writer.raw_insert(table, ["id", "text"], packed, fmt="CSV", compression=compression)
    assert (
        writer.raw_query(f"SELECT id, text FROM {table} ORDER BY id", fmt="CSV")  # noqa: S608
        == b'1,"one"\n2,"two"\n'
    )


def test_streams_of_many_blocks(reader: Client):
    """A result of many blocks streams through, complete."""
    query = "SELECT number FROM numbers(500000)"
    with reader.query_rows_stream(query, settings={"max_block_size": 10000}) as rows:
        assert sum(row[0] for row in rows) == 500000 * 499999 // 2


def test_a_stream_that_fails_half_way_fails_in_the_client(reader: Client):
    """An error after the first blocks is never taken for the end."""
    query = "SELECT throwIf(number = 400000) FROM numbers(500000)"
    with (
        pytest.raises(DatabaseError, match="FUNCTION_THROW_IF"),
        reader.query_rows_stream(query, settings={"max_block_size": 10000}) as rows,
    ):
        list(rows)


def test_what_a_database_browser_asks(reader: Client, table: str):
    """The catalogue is readable: databases, tables, columns, version, settings, functions."""
    assert "system" in reader.command("SHOW DATABASES")
    assert reader.query(f"DESCRIBE TABLE {table}").result_rows[0][:2] == ("id", "UInt64")
    assert reader.query("SHOW TABLES").result_rows == [("t",)]
    assert (
        reader.command("SELECT engine FROM system.tables WHERE name = 't' LIMIT 1") == "MergeTree"
    )
    columns = "SELECT name FROM system.columns WHERE table = 't' AND database = currentDatabase()"
    assert reader.query(columns).row_count == len(COLUMNS)
    assert "CREATE TABLE" in reader.command(f"SHOW CREATE TABLE {table}")
    assert reader.query("SELECT timezone(), hostName(), uptime(), currentUser()").row_count == 1
    assert reader.query("EXPLAIN SELECT 1").row_count > 0


async def test_async_client(engine: Engine):
    """The asynchronous client works as well."""
    client = await clickhouse_connect.get_async_client(dsn=engine.reader_dsn)
    try:
        assert (await client.query("SELECT 6 * 7")).result_rows == [(42,)]
    finally:
        await client.close()
