"""Who may ask the API for what: parameters of its handlers that stand for a key's scope."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from agentguard_collector.auth import Principal, authenticate

__all__ = ["Admin", "Ingest", "Read"]


def _may(scope: str) -> Callable[[Request], Awaitable[Principal]]:
    async def ask(request: Request) -> Principal:
        key = request.headers.get("authorization") or request.headers.get("x-api-key")
        return await authenticate(request.app.state.verifier, key, scope)

    return ask


Ingest = Annotated[Principal, Depends(_may("ingest"))]
Read = Annotated[Principal, Depends(_may("read"))]
Admin = Annotated[Principal, Depends(_may("admin"))]
