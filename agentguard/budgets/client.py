"""The collector's API of shared budgets and stops, as this process asks it."""

from __future__ import annotations

import http.client
import json
import os
import threading
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

from agentguard.budgets.shared_errors import BudgetRefused, BudgetUnreachable

if TYPE_CHECKING:
    from agentguard.config import Settings

__all__ = [
    "ControlClient",
    "budget_path",
    "settings",
]

TIMEOUT: Final = 2.0
_LONGEST_ANSWER: Final = 4 << 20
_OURS: Final = frozenset({"authorization", "x-api-key"})


def settings() -> Settings:
    """What `init` was given, or else what it would read from the environment."""
    from agentguard.runtime import runtime

    if runtime.settings is not None:
        return runtime.settings
    from agentguard.config import load_settings

    return load_settings()


class ControlClient:
    """One connection that is kept alive, used by one thread at a time and made anew after a fork.

    Every request may be sent twice: the API takes a repetition for what it is.
    """

    def __init__(
        self, endpoint: str, api_key: str | None, headers: dict[str, str] | None = None
    ) -> None:
        from agentguard.reading import TRACES_PATH

        self.base = endpoint.removesuffix(TRACES_PATH).rstrip("/")
        url = urlsplit(self.base)
        self._https = url.scheme == "https"
        self._host, self._port, self._path = url.hostname or "", url.port, url.path
        given = {name.lower(): value for name, value in (headers or {}).items()}
        self.has_key = api_key is not None or bool(_OURS & given.keys())
        self._headers = {**given, "content-type": "application/json"}
        if api_key is not None:
            self._headers["authorization"] = f"Bearer {api_key}"
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._connection: http.client.HTTPConnection | None = None
        self._closed = False

    @classmethod
    def from_settings(cls) -> ControlClient:
        """A client of the collector that spans are sent to, with the same key."""
        found = settings()
        return cls(found.endpoint, found.api_key, dict(found.headers))

    def ask(
        self,
        method: str,
        path: str,
        body: object = None,
        timeout: float = TIMEOUT,
        *,
        etag: str = "",
    ) -> dict[str, Any]:
        """The answer to a request below `/api/v1`; empty where it is still the one of `etag`.

        Raises BudgetUnreachable where there is none within `timeout` seconds, BudgetRefused.
        """
        if os.getpid() != self._pid:
            # The parent's socket is the parent's, and its lock may be held for ever.
            self._pid, self._lock, self._connection = os.getpid(), threading.Lock(), None
        data = None if body is None else json.dumps(body).encode()
        with self._lock:
            path = f"{self._path}/api/v1{path}"
            status, answer = self._send(method, path, data, timeout, etag)
        if status in (204, 304):
            return {}
        try:
            read = json.loads(answer)
        except ValueError:
            read = None
        if not isinstance(read, dict):
            raise BudgetRefused(
                f"{self.base} answered HTTP {status} and no JSON: is it an AgentGuard collector?",
                status,
            )
        if status < 300:
            return read
        message = str(read.get("message") or read.get("detail") or f"HTTP {status}")[:500]
        if status >= 500 or status == 429:
            raise BudgetUnreachable(f"the collector at {self.base} says: {message}")
        raise BudgetRefused(f"the collector at {self.base} says: {message}", status)

    def close(self) -> None:
        """Drop the connection, also under a request that waits; nothing is sent after.

        What is asked from then on, or waits, raises BudgetUnreachable.
        """
        self._closed = True
        connection = self._connection
        if connection is not None and connection.sock is not None and os.getpid() == self._pid:
            import socket
            from contextlib import suppress

            with suppress(OSError):
                connection.sock.shutdown(socket.SHUT_RDWR)

    def _send(
        self, method: str, path: str, data: bytes | None, timeout: float, etag: str
    ) -> tuple[int, bytes]:
        is_new = self._connection is None
        try:
            return self._send_once(method, path, data, timeout, etag)
        except (OSError, http.client.HTTPException) as problem:
            self._drop()
            # The server may have closed a connection that was not used for a while.
            if is_new or self._closed or isinstance(problem, TimeoutError):
                raise self._unreachable(problem) from None
        try:
            return self._send_once(method, path, data, timeout, etag)
        except (OSError, http.client.HTTPException) as problem:
            self._drop()
            raise self._unreachable(problem) from None

    def _send_once(
        self, method: str, path: str, data: bytes | None, timeout: float, etag: str
    ) -> tuple[int, bytes]:
        connection = self._connection
        if connection is None:
            make = http.client.HTTPSConnection if self._https else http.client.HTTPConnection
            connection = self._connection = make(self._host, self._port, timeout=timeout)
        connection.timeout = timeout
        if connection.sock is None:
            connection.connect()
        else:
            connection.sock.settimeout(timeout)
        # Who closes says so first and then looks for a socket: one of the two sees the other.
        if self._closed:
            raise ConnectionAbortedError("closed")
        headers = {**self._headers, "if-none-match": f'"{etag}"'} if etag else self._headers
        connection.request(method, path, data, headers)
        answer = connection.getresponse()
        return answer.status, answer.read(_LONGEST_ANSWER)

    def _drop(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _unreachable(self, problem: Exception) -> BudgetUnreachable:
        why = "no answer in time" if isinstance(problem, TimeoutError) else "no connection"
        if isinstance(problem, ConnectionRefusedError):
            why = "connection refused"
        return BudgetUnreachable(f"the collector at {self.base} does not answer: {why}")


def budget_path(name: str, operation: str) -> str:
    """The path of an operation on a budget."""
    return f"/budgets/{quote(name, safe='')}/{operation}"
