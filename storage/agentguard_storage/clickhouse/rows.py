"""A few rows of our own into a table."""

import json
from collections.abc import Mapping, Sequence

from clickhouse_connect.driver.client import Client

__all__ = ["insert_rows"]


def insert_rows(client: Client, table: str, rows: Sequence[Mapping[str, object]]) -> None:
    """Insert rows by their columns' names; the first one's names are everyone's.

    Values are what JSON knows, and dates. The client's own `insert` would first import pandas to
    see whether it is given a DataFrame: a second of start-up, and 60 MB that stay.
    Raises `clickhouse_connect.driver.exceptions.ClickHouseError`.
    """
    body = "\n".join(json.dumps(row, default=str) for row in rows)
    client.raw_insert(table, list(rows[0]), body, fmt="JSONEachRow")
