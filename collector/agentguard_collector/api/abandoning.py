"""Ends a statement at ClickHouse when nobody waits for its answer any more.

Its connection is shut down: the embedded engine ends a query whose client has gone, and a server
does where it is asked to (`ENDS_WITH_CLIENT`). A thread cannot be interrupted otherwise.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final

from clickhouse_connect.driver.httputil import get_pool_manager
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool, PoolManager
from urllib3.connection import HTTPConnection, HTTPSConnection

__all__ = ["ENDS_WITH_CLIENT", "Abandoned", "Call", "calling", "pool"]

ENDS_WITH_CLIENT: Final = {"cancel_http_readonly_queries_on_client_close": 1}
_LOCK: Final = threading.Lock()


class Abandoned(BaseException):
    """Nobody waits for this any more. Nothing that handles errors shall take it for one."""


class Call:
    """What one thread asks for one request: one statement after the other."""

    def __init__(self) -> None:
        self.abandoned = False
        self._connection: _Watched | None = None

    def abandon(self) -> None:
        """End the statement that is under way, and let no other begin."""
        with _LOCK:
            self.abandoned = True
            connection = self._connection
            # One that went back to the pool may be another call's by now.
            if connection is not None and connection.call is self and connection.sock is not None:
                with suppress(OSError):
                    connection.sock.shutdown(socket.SHUT_RDWR)

    def take(self, connection: _Watched) -> None:
        """Note which connection the next statement goes over. Raises Abandoned."""
        with _LOCK:
            if self.abandoned:
                raise Abandoned
            connection.call, self._connection = self, connection


calling: Final[ContextVar[Call | None]] = ContextVar("calling", default=None)
"""The call that the current thread works for."""


class _Watched(HTTPConnection):
    """A connection that knows whose statement it carries."""

    call: Call | None = None

    def request(self, *args: Any, **options: Any) -> None:
        """Send a request."""
        call = calling.get()
        if call is None:
            self.call = None
        else:
            call.take(self)
        super().request(*args, **options)

    def getresponse(self) -> Any:
        """Wait for its answer. Raises Abandoned too."""
        try:
            return super().getresponse()
        except Exception:
            if self.call is not None and self.call.abandoned:
                raise Abandoned from None
            raise


class _WatchedTls(_Watched, HTTPSConnection):
    """The same, over TLS."""


class _Pool(HTTPConnectionPool):
    ConnectionCls = _Watched


class _TlsPool(HTTPSConnectionPool):
    ConnectionCls = _WatchedTls


def pool(size: int) -> PoolManager:
    """Connections that calls can abandon; `size` of them are kept."""
    manager: PoolManager = get_pool_manager(maxsize=size)
    manager.pool_classes_by_scheme = {"http": _Pool, "https": _TlsPool}
    return manager
