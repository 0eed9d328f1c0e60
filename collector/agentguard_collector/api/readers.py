"""Connections to ClickHouse for reading, made when the first question comes."""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError
from urllib3.exceptions import HTTPError

from agentguard_collector.api.abandoning import ENDS_WITH_CLIENT, pool
from agentguard_storage.clickhouse.client import connect
from agentguard_storage.queries.errors import StoreUnavailable
from agentguard_storage.queries.reader import Bounds, Reader

__all__ = ["Readers"]

logger = logging.getLogger(__name__)

_AWAY: Final = "the store does not answer at the moment"
_BEYOND_THE_BOUND_S: Final = 5
_CONNECTS_WITHIN_S: Final = 3
_PAUSE_S: Final = 1.0


class Readers:
    """Makes a reader for each project; all of them share one client, which is thread-safe."""

    def __init__(self, dsn: str, seconds: int, threads: int) -> None:
        self._dsn = dsn
        self._bounds = Bounds(seconds=seconds)
        self._threads = threads
        self._lock = threading.Lock()
        self._client: Client | None = None
        self._away_until = 0.0

    def reader(self, project_id: str) -> Reader:
        """Waits for ClickHouse the first time: not for an event loop. Raises StoreUnavailable."""
        return Reader(self._connected(), project_id, self._bounds)

    def close(self) -> None:
        """Close the client's connections."""
        with self._lock:
            if self._client is not None:
                self._client.close()
                self._client = None

    def _connected(self) -> Client:
        with self._lock:
            if self._client is None:
                # Those who waited here for the lock need not wait for the same failure again.
                if time.monotonic() < self._away_until:
                    raise StoreUnavailable(_AWAY)
                try:
                    self._client = self._connect()
                except (ClickHouseError, HTTPError) as error:
                    logger.warning("ClickHouse cannot be asked", exc_info=True)
                    self._away_until = time.monotonic() + _PAUSE_S
                    raise StoreUnavailable(_AWAY) from error
            return self._client

    def _connect(self) -> Client:
        return connect(
            self._dsn,
            self._bounds.seconds + _BEYOND_THE_BOUND_S,
            connect_timeout=_CONNECTS_WITHIN_S,
            pool_mgr=pool(self._threads),
            settings=ENDS_WITH_CLIENT,
        )
