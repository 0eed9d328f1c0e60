"""One INSERT over ClickHouse's HTTP interface, and what its answer means."""

from __future__ import annotations

import asyncio
import os
import re
import select
import socket
import ssl
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from typing import BinaryIO
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from agentguard_storage.clickhouse.inbox import INSERT_QUERY, insert_settings

__all__ = ["BadSegment", "NotInserted", "Sink"]

_CONNECT_SECONDS = 5.0
_PING_SECONDS = 2.0
_CODE = re.compile(r"Code: (\d+)")

# Errors of the data itself: trying the same bytes again cannot succeed. Every other error is
# retried for ever, because nothing that was acknowledged may be lost to a setting or an outage.
# https://github.com/ClickHouse/ClickHouse/blob/master/src/Common/ErrorCodes.cpp
_DATA_ERRORS = frozenset(
    {
        6,  # CANNOT_PARSE_TEXT
        26,  # CANNOT_PARSE_QUOTED_STRING
        27,  # CANNOT_PARSE_INPUT_ASSERTION_FAILED
        32,  # ATTEMPT_TO_READ_AFTER_EOF
        33,  # CANNOT_READ_ALL_DATA
        38,  # CANNOT_PARSE_DATE
        41,  # CANNOT_PARSE_DATETIME
        53,  # TYPE_MISMATCH
        69,  # ARGUMENT_OUT_OF_BOUND
        70,  # CANNOT_CONVERT_TYPE
        72,  # CANNOT_PARSE_NUMBER
        117,  # INCORRECT_DATA
        128,  # TOO_LARGE_ARRAY_SIZE
        131,  # TOO_LARGE_STRING_SIZE
        190,  # SIZES_OF_ARRAYS_DONT_MATCH
        321,  # VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE
        407,  # DECIMAL_OVERFLOW
        436,  # PROTOBUF_BAD_CAST
        444,  # UNKNOWN_PROTOBUF_FORMAT
    }
)


class NotInserted(Exception):  # noqa: N818 - it says what happened
    """The insert failed, or its outcome is unknown; the same token may be tried again."""


class BadSegment(Exception):  # noqa: N818
    """The store cannot read this data and never will."""


class Sink:
    """A long-lived connection to the store. `dsn` is clickhouse://user:password@host:port/db.

    With `reads_files` the store is the embedded engine on this machine, which reads a segment
    where it lies (INSERT ... FROM INFILE): three copies less of every byte. Otherwise a blocking
    socket in a thread sends it, without waking the event loop for each piece.
    """

    def __init__(self, dsn: str, *, timeout: float, reads_files: bool = False) -> None:
        parts = urlsplit(dsn)
        query = parse_qs(parts.query)
        self._secure = parts.scheme == "https" or query.get("secure", ["0"])[0] not in (
            "0",
            "false",
        )
        self._host = parts.hostname or "127.0.0.1"
        self._port = parts.port or (8443 if self._secure else 8123)
        self._database = parts.path.strip("/") or "agentguard"
        self._timeout = timeout
        self._reads_files = reads_files
        self._headers = {
            "X-ClickHouse-User": unquote(parts.username or "default"),
            "X-ClickHouse-Key": unquote(parts.password or ""),
            "Content-Type": "application/octet-stream",
        }
        self._connection = self._connect(_CONNECT_SECONDS)

    async def insert(self, token: str, body: bytes) -> None:
        """Insert records. Raises NotInserted or BadSegment."""
        await asyncio.to_thread(self._insert, token, INSERT_QUERY, body)

    async def insert_file(self, token: str, path: Path) -> None:
        """Insert a segment. Raises NotInserted, BadSegment or, without the file, OSError."""
        await asyncio.to_thread(self._insert_file, token, path)

    async def reachable(self) -> bool:
        """Tell whether the store answers at all."""
        return await asyncio.to_thread(self._ping)

    async def close(self) -> None:
        """Break the connection off, also under an insert that is waiting for its answer."""
        with suppress(OSError):
            if self._connection.sock:
                self._connection.sock.shutdown(socket.SHUT_RDWR)
        self._connection.close()

    def _insert_file(self, token: str, path: Path) -> None:
        path = path.resolve()
        # The engine would take these for a pattern, or for the end of the name.
        if self._reads_files and not set("*?{}'\\") & set(str(path)):
            path.stat()
            head, _, tail = INSERT_QUERY.partition(" FORMAT ")
            query = f"{head} FROM INFILE '{path}' COMPRESSION 'none' FORMAT {tail}"
            self._insert(token, query, b"")
        else:
            with path.open("rb") as file:
                self._insert(token, INSERT_QUERY, file)

    def _insert(self, token: str, query: str, body: bytes | BinaryIO) -> None:
        settings = {
            "database": self._database,
            "query": query,
            "wait_end_of_query": "1",
            **insert_settings(token),
        }
        try:
            status, code, text = self._post(f"/?{urlencode(settings)}", body)
        except (OSError, HTTPException) as error:
            self._connection.close()
            raise NotInserted(f"{type(error).__name__}: {error}") from error
        if status == 200 and not code:
            return
        if code in _DATA_ERRORS:
            raise BadSegment(text)
        raise NotInserted(f"HTTP {status}: {text}")

    def _post(self, target: str, body: bytes | BinaryIO) -> tuple[int, int, str]:
        """Send one request; return the status, ClickHouse's error code or 0, and the text."""
        connection = self._ready()
        size = len(body) if isinstance(body, bytes) else os.fstat(body.fileno()).st_size
        # A refusal may come, and the connection be closed, before all of the body has been sent.
        with suppress(BrokenPipeError, ConnectionResetError):
            headers = {**self._headers, "Content-Length": str(size)}
            connection.request("POST", target, headers=headers)
            if isinstance(body, bytes):
                connection.send(body)
            else:
                connection.sock.sendfile(body)
        response = connection.getresponse()
        text = response.read().decode(errors="replace")[:1000].strip()
        found = _CODE.search(text)
        code = response.headers.get("X-ClickHouse-Exception-Code") or (found and found.group(1))
        return response.status, int(code or 0), text

    def _ready(self) -> HTTPConnection:
        """Return the connection, opened anew if the other side has closed it meanwhile."""
        connection = self._connection
        if connection.sock:
            idle = select.poll()
            idle.register(connection.sock, select.POLLIN)
            if idle.poll(0):
                connection.close()
        if not connection.sock:
            connection.connect()
            connection.sock.settimeout(self._timeout)
        return connection

    def _connect(self, timeout: float) -> HTTPConnection:
        if self._secure:
            context = ssl.create_default_context()
            return HTTPSConnection(self._host, self._port, timeout=timeout, context=context)
        return HTTPConnection(self._host, self._port, timeout=timeout)

    def _ping(self) -> bool:
        connection = self._connect(_PING_SECONDS)
        try:
            connection.request("GET", "/ping")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()
