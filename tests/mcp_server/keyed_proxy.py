"""A way to a server for clients that cannot send a key: it adds one, and changes nothing else."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import httpx2
import uvicorn
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tests.plain_http import NO_TLS

__all__ = ["keyed_proxy", "serving"]

_OF_THE_CONNECTION = {"content-length", "transfer-encoding", "connection", "date", "server"}


@contextmanager
def keyed_proxy(target: str, api_key: str) -> Iterator[str]:
    """The base URL at which the server with the base URL `target` is reached with the key."""
    client = httpx2.AsyncClient(base_url=target, verify=NO_TLS, timeout=60)

    async def forward(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        request = Request(scope, receive)
        # The Host that the client meant goes on too: it is what the server has to judge.
        headers = {**request.headers, "authorization": f"Bearer {api_key}"}
        answer = await client.request(
            request.method, request.url.path, headers=headers, content=await request.body()
        )
        kept = {k: v for k, v in answer.headers.items() if k not in _OF_THE_CONNECTION}
        await Response(answer.content, answer.status_code, kept)(scope, receive, send)

    with serving(forward) as base:
        yield base


@contextmanager
def serving(app: ASGIApp) -> Iterator[str]:
    """The base URL at which an application is served, on a free port of this machine."""
    config = uvicorn.Config(app, port=0, log_level="warning")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    end = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < end, "the proxy does not start"
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(20)
