"""Connections to ClickHouse, embedded or not, from one DSN."""

from typing import Any

import clickhouse_connect
from clickhouse_connect.driver.client import Client


def connect(dsn: str, timeout_s: int = 300, **options: Any) -> Client:
    """Connect to `clickhouse://user:password@host:port/database`.

    No answer to a statement may take longer than `timeout_s`; `options` are further ones of
    `clickhouse_connect.get_client`.

    Raises `clickhouse_connect.driver.exceptions.ClickHouseError` (or a connection error of
    urllib3) when the server is away or refuses.
    """
    # No session: statements of one client may then run side by side.
    return clickhouse_connect.get_client(
        dsn=dsn, autogenerate_session_id=False, send_receive_timeout=timeout_s, **options
    )
