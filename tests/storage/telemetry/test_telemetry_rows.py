"""Rows of our own: what is put in comes back, and nothing heavy is loaded for it."""

import subprocess
import sys
from datetime import date
from uuid import uuid4

import pytest

from agentguard_storage.clickhouse.rows import insert_rows

PROGRAM = """
import sys
from agentguard_storage.clickhouse import connect
from agentguard_storage.clickhouse.rows import insert_rows
with connect(sys.argv[1]) as client:
    insert_rows(client, sys.argv[2], [{"number": 1}])
sys.exit("pandas" in sys.modules)
"""


@pytest.fixture
def table(store):
    """A table of every kind of column that our rows have."""
    name = f"rows_{uuid4().hex[:8]}"
    store.client.command(
        f"CREATE TABLE {name} (number UInt64, text String, day Date, sure Bool,"
        " amounts Array(UInt64), kind Enum8('exact' = 0, 'regex' = 4))"
        " ENGINE = MergeTree ORDER BY number"
    )
    yield name
    store.client.command(f"DROP TABLE {name}")


def test_rows_come_back_as_they_were(store, table):
    """Large numbers, any text, dates, arrays and words of an enumeration are kept."""
    rows = [
        {
            "number": 2**64 - 1,
            "text": 'naïve 漢字 "quoted" \\ \n\t\x00',
            "day": date(2026, 2, 28),
            "sure": True,
            "amounts": [0, 10**18],
            "kind": "regex",
        },
        {
            "number": 0,
            "text": "",
            "day": date(1970, 1, 1),
            "sure": False,
            "amounts": [],
            "kind": "exact",
        },
    ]
    insert_rows(store.client, table, rows)
    found = store.client.query(f"SELECT * FROM {table} ORDER BY number DESC")  # noqa: S608 - ours
    assert list(found.named_results()) == rows


def test_nobody_waits_for_pandas(store, table):
    """It is there with the engine, and takes longer to load than all else of a start."""
    done = subprocess.run([sys.executable, "-c", PROGRAM, store.dsn, table], timeout=60)
    assert done.returncode == 0
