"""The ASGI application: ClickHouse's HTTP interface over the embedded engine."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

from agentguard_storage.embedded.credentials import Credentials
from agentguard_storage.embedded.engine import Engine
from agentguard_storage.embedded.errors import EngineError
from agentguard_storage.embedded.exchange import ClientGoneError, Exchange, Receive, Send
from agentguard_storage.embedded.request import QueryRequest
from agentguard_storage.embedded.responding import send_error
from agentguard_storage.embedded.serving import serve

__all__ = ["Application"]

Scope = MutableMapping[str, Any]

log = logging.getLogger(__name__)

QUERY_THREADS: Final = 24
INSERT_THREADS: Final = 8
MAX_REQUESTS: Final = 200
KILL_EVERY_SECONDS: Final = 0.2


class Application:
    """Answers `/ping` at once; runs statements in threads, INSERTs apart from everything else."""

    def __init__(self, engine: Engine, credentials: Credentials) -> None:
        self._engine = engine
        self._credentials = credentials
        self._queries = ThreadPoolExecutor(QUERY_THREADS, "query")
        self._inserts = ThreadPoolExecutor(INSERT_THREADS, "insert")
        self._kills = ThreadPoolExecutor(1, "kill")
        self._active = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI scope."""
        if scope["type"] != "http":
            raise TypeError(f"this application speaks HTTP, not {scope['type']}")
        path, method = scope["path"], scope["method"]
        if path in ("/ping", "/replicas_status"):
            await _plain(send, 200, "Ok.\n")
        elif path not in ("/", "/query"):
            await _plain(send, 404, f"There is no handle {path}\n")
        elif method not in ("GET", "POST"):
            await _plain(send, 405, f"{method} is not allowed: use GET or POST\n")
        elif method == "GET" and not scope["query_string"]:
            await _plain(send, 200, "Ok.\n")
        else:
            self._active += 1
            try:
                await self._answer(scope, receive, send)
            finally:
                self._active -= 1

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        exchange = Exchange(receive, send)
        loop = asyncio.get_running_loop()
        try:
            request = self._admit(scope)
        except EngineError as error:
            await loop.run_in_executor(self._queries, send_error, self._engine, exchange, error, "")
            return
        inserts = request.statement.lstrip()[:6].upper() == "INSERT"
        lane = self._inserts if inserts else self._queries
        work = lane.submit(self._work, request, exchange)
        pump = asyncio.create_task(exchange.pump())
        waiter = asyncio.wrap_future(work)
        try:
            await asyncio.wait({pump, waiter}, return_when=asyncio.FIRST_COMPLETED)
            if exchange.finished:
                await asyncio.wait({waiter})
        finally:
            pump.cancel()
            exchange.gone = not exchange.finished
            await self._stop(request.tag, waiter)

    def _admit(self, scope: Scope) -> QueryRequest:
        request = QueryRequest.parse(scope, self._credentials)
        if self._active > MAX_REQUESTS:
            raise EngineError(
                202, "TOO_MANY_SIMULTANEOUS_QUERIES", "Too many queries at once", status=503
            )
        return request

    async def _stop(self, tag: str, waiter: asyncio.Future[None]) -> None:
        # The kill may come before the engine has registered the query, hence again and again.
        loop = asyncio.get_running_loop()
        while not waiter.done():
            await loop.run_in_executor(self._kills, self._engine.kill, tag)
            await asyncio.wait({waiter}, timeout=KILL_EVERY_SECONDS)

    def _work(self, request: QueryRequest, exchange: Exchange) -> None:
        try:
            serve(self._engine, request, exchange)
        except ClientGoneError:
            log.info("query %s: the client hung up", request.query_id)
        except EngineError as error:
            self._refuse(request, exchange, error)
        except Exception:
            # The boundary of one request: the server goes on.
            log.exception("query %s failed", request.query_id)
            self._refuse(request, exchange, EngineError(1002, "UNKNOWN_EXCEPTION", "A bug here"))

    def _refuse(self, request: QueryRequest, exchange: Exchange, error: EngineError) -> None:
        if exchange.gone or exchange.started:
            return
        try:
            send_error(self._engine, exchange, error, request.query_id)
        except ClientGoneError:
            log.info("query %s: the client hung up", request.query_id)


async def _plain(send: Send, status: int, text: str) -> None:
    headers = [
        (b"content-type", b"text/plain; charset=UTF-8"),
        (b"content-length", str(len(text)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})
