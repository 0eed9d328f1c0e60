"""The server over streamable HTTP, as the collector mounts it at /mcp.

Nothing is kept between requests: any worker answers any of them. So there are no sessions, nothing
to GET, and a person is asked for confirmation only where a request says that its client can do so
(protocol 2026-07-28).

https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#streamable-http
https://modelcontextprotocol.io/specification/2025-11-25/basic/authorization
"""

from __future__ import annotations

import json
import logging
import math
import os
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Final, Protocol
from urllib.parse import urlsplit

import anyio.to_thread
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from agentguard_mcp.backend import Backend
from agentguard_mcp.confirming import confirming
from agentguard_mcp.introduction import INSTRUCTIONS, NAME
from agentguard_mcp.sdk import Answer, Asked, make_server
from agentguard_mcp.service import Service
from agentguard_storage.control import ControlPlane, KeyVerifier, Principal
from agentguard_storage.control import Scope as KeyScope
from agentguard_storage.control.errors import ControlPlaneUnavailable, KeyRefused, MissingScope
from agentguard_storage.queries.reader import Reader

__all__ = [
    "HOSTS_VAR",
    "METADATA_PATH",
    "PATH",
    "Endpoint",
    "Host",
    "collector_app",
    "metadata_app",
]

PATH: Final = "/mcp"
# RFC 9728, section 3.1: the resource's own path comes after the well-known one.
_WELL_KNOWN: Final = "/.well-known/oauth-protected-resource"
METADATA_PATH: Final = _WELL_KNOWN + PATH
HOSTS_VAR: Final = "AGENTGUARD_MCP_HOSTS"
"""Names, with commas between them, under which web pages may reach the server."""

_PRINCIPAL: Final = "agentguard.principal"
_SCOPES: Final = tuple(scope for scope in KeyScope if scope is not KeyScope.INGEST)
_LOOPBACK: Final = frozenset({"localhost", "127.0.0.1", "::1"})
_LONGEST_BODY: Final = 1 << 20
_PROBLEM: Final = "application/problem+json"

# It tells of each request that it was the last of its session.
logging.getLogger("mcp.server.streamable_http").setLevel(logging.WARNING)


class Refusal(Protocol):
    """Why a request is not served now."""

    message: str
    http_status: int
    retry_after: float | None
    """Seconds."""


class Host(Protocol):
    """What the collector gives: see its seam for applications of other packages."""

    @property
    def control(self) -> ControlPlane:
        """Keys, budgets, stops, shares and annotations."""

    @property
    def reader(self) -> Callable[[str], Reader]:
        """Makes a project's reader; may wait."""

    @property
    def turn(self) -> Turn:
        """What each request of a key is served in."""


Turn = Callable[[str], AbstractAsyncContextManager[Refusal | None]]


def collector_app(host: Host) -> Endpoint:
    """The application that the collector mounts at PATH."""
    hosts = os.environ.get(HOSTS_VAR, "").split(",")
    service = Service(Backend(host.control, host.reader), _caller)
    return Endpoint(host.control.verifier, host.turn, confirming(service), hosts)


class Endpoint:
    """An ASGI application for PATH; requests are served while its `lifespan()` lasts.

    `answer` is asked on behalf of those whose key `verifier` knows, in their `turn`. `hosts` are
    names, beside those of this machine, under which browsers may reach it.
    """

    def __init__(
        self, verifier: KeyVerifier, turn: Turn, answer: Answer, hosts: Iterable[str] = ()
    ) -> None:
        self._verifier = verifier
        self._turn = turn
        self._hosts = _LOOPBACK | {host.strip().lower() for host in hosts if host.strip()}
        self._sessions = StreamableHTTPSessionManager(
            make_server(NAME, answer, instructions=INSTRUCTIONS),
            json_response=True,
            stateless=True,
            max_request_body_size=_LONGEST_BODY,
        )

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Serve for as long as the block lasts; once for each endpoint."""
        async with self._sessions.run():
            yield

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        refusal = self._foreign(request)
        if refusal is None and request.url.path.rstrip("/") != PATH:
            refusal = _problem(404, f"the MCP server is at {PATH}")
        if refusal is None and request.method != "POST":
            refusal = _problem(405, "only POST is possible here", {"Allow": "POST"})
        if refusal is None:
            refusal = await self._admit(request)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        async with self._turn(request.scope[_PRINCIPAL].key_id) as busy:
            if busy is not None:
                await _later(busy)(scope, receive, send)
            else:
                await self._sessions.handle_request(scope, receive, send)

    def _foreign(self, request: Request) -> Response | None:
        """Refuse web pages from elsewhere, also those whose name was bound to this machine.

        What a connection to a loopback address calls the server is what a browser was told, so a
        foreign name there is such a binding. Elsewhere the operator's names are not known.
        """
        origin = request.headers.get("origin")
        if origin is not None and _host(origin) not in self._hosts:
            return _problem(403, "requests from web pages of this origin are not accepted")
        server = (request.scope.get("server") or ("",))[0]
        called = _host(f"//{request.headers.get('host', '')}")
        if server in _LOOPBACK and called not in self._hosts:
            return _problem(403, "this server is not known under this name")
        return None

    async def _admit(self, request: Request) -> Response | None:
        presented = request.headers.get("authorization") or request.headers.get("x-api-key")
        try:
            found = self._verifier.cached(presented, *_SCOPES)
            if found is None:
                found = await anyio.to_thread.run_sync(self._verifier.verify, presented, *_SCOPES)
        except MissingScope as error:
            challenge = _challenge(request, "insufficient_scope") + ', scope="read"'
            return _problem(403, str(error), {"WWW-Authenticate": challenge})
        except KeyRefused as error:
            challenge = _challenge(request, "invalid_token" if presented else None)
            return _problem(401, str(error), {"WWW-Authenticate": challenge})
        except ControlPlaneUnavailable:
            return _problem(503, "API keys cannot be verified at the moment", {"Retry-After": "2"})
        request.scope[_PRINCIPAL] = found
        return None


def _caller(asked: Asked) -> tuple[Principal, str]:
    request = asked.http
    if request is None:
        raise TypeError("a request that did not come over HTTP")
    return request.scope[_PRINCIPAL], _base(request)


def metadata_app(host: Host) -> ASGIApp:
    """The application at METADATA_PATH: what a client can know before it has a key.

    RFC 9728, section 2. There is no authorization server to name: keys are made by whoever runs
    this server.
    """

    async def described(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        if request.url.path.rstrip("/") not in (METADATA_PATH, _WELL_KNOWN):
            answer = _problem(404, f"this is described at {METADATA_PATH}")
        elif request.method not in ("GET", "HEAD"):
            answer = _problem(405, "only GET is possible here", {"Allow": "GET, HEAD"})
        else:
            known: dict[str, Any] = {
                "resource": _base(request) + PATH,
                "resource_name": "AgentGuard",
                "bearer_methods_supported": ["header"],
                "scopes_supported": [str(scope) for scope in _SCOPES],
            }
            answer = JSONResponse(known, headers={"Cache-Control": "public, max-age=3600"})
        await answer(scope, receive, send)

    return described


def _challenge(request: Request, error: str | None) -> str:
    """The WWW-Authenticate header: RFC 6750, section 3, and RFC 9728, section 5.1."""
    parts = ['Bearer realm="agentguard"', f'resource_metadata="{_base(request)}{METADATA_PATH}"']
    if error:
        parts.append(f'error="{error}"')
    return ", ".join(parts)


def _base(request: Request) -> str:
    return str(request.base_url).rstrip("/")


def _host(url: str) -> str | None:
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None


def _later(busy: Refusal) -> Response:
    headers = {"Retry-After": str(math.ceil(busy.retry_after or 1))}
    return _problem(busy.http_status, busy.message, headers)


def _problem(status: int, detail: str, headers: dict[str, str] | None = None) -> Response:
    body = json.dumps({"status": status, "detail": detail})
    return Response(body, status, headers, media_type=_PROBLEM)
