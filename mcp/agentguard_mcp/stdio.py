"""The server over stdio, for clients that start it as a program: `agentguard mcp`.

There is one implementation of the tools, in the collector, and this hands each request on to it:
one POST to its /mcp endpoint with the API key, whether the collector runs on this machine or
elsewhere. Only what needs the client's own session is done here, which is asking its person to
confirm a change.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from typing import Any, Final

import httpx2
from mcp.server.stdio import stdio_server

from agentguard_mcp.confirming import confirming
from agentguard_mcp.introduction import INSTRUCTIONS, NAME
from agentguard_mcp.sdk import INTERNAL_ERROR, Asked, ProtocolError, make_server

__all__ = ["Remote", "Target", "serve"]

Target = Callable[[], tuple[str, str]]
"""The collector's base URL and an API key; asked for each request, since a local stack that was
started anew may be at another port."""

_TIMEOUT_S: Final = 60.0
_CONNECT_S: Final = 5.0
# A version with a handshake, and without sessions nobody misses it: a request stands for itself.
_VERSION: Final = "2025-06-18"
_NO_ANSWER: Final = "AgentGuard does not answer at {}: start it with `agentguard up`, or set {}"
_VARIABLES: Final = "AGENTGUARD_ENDPOINT and AGENTGUARD_API_KEY"


class Remote:
    """Answers requests as the /mcp endpoint of a collector does. Close it when done."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._ids = itertools.count(1)
        self._client = httpx2.AsyncClient(
            headers={
                "Accept": "application/json, text/event-stream",
                "Mcp-Protocol-Version": _VERSION,
            },
            timeout=httpx2.Timeout(_TIMEOUT_S, connect=_CONNECT_S),
            follow_redirects=True,
        )

    async def __call__(self, asked: Asked) -> dict[str, Any]:
        """The result. Raises ProtocolError, also where there is no answer or no access."""
        # What a client says about itself is for its own session and means nothing further on.
        params = {name: value for name, value in asked.params.items() if name in _HANDED_ON}
        request = {
            "jsonrpc": "2.0", "id": next(self._ids), "method": asked.method, "params": params,
        }  # fmt: skip
        endpoint, api_key = self._target()
        url = endpoint.rstrip("/") + "/mcp"
        headers = {"Authorization": f"Bearer {api_key}"}
        try:
            response = await self._client.post(url, json=request, headers=headers)
        except (httpx2.HTTPError, httpx2.InvalidURL):
            raise _failed(_NO_ANSWER.format(url, _VARIABLES)) from None
        return _result(response)

    async def aclose(self) -> None:
        """Close the connections."""
        await self._client.aclose()


_HANDED_ON: Final = frozenset({"name", "arguments", "uri", "cursor", "ref", "argument", "context"})


async def serve(target: Target) -> None:
    """Serve one client on standard input and output, until it closes them."""
    remote = Remote(target)
    try:
        server = make_server(NAME, confirming(remote), instructions=INSTRUCTIONS)
        async with stdio_server() as (received, sent):
            await server.run(received, sent, server.create_initialization_options())
    finally:
        await remote.aclose()


def _result(response: httpx2.Response) -> dict[str, Any]:
    try:
        found = response.json()
    except (json.JSONDecodeError, UnicodeDecodeError):
        found = {}
    if not isinstance(found, dict):
        found = {}
    match found:
        case {"result": dict(result)}:
            return result
        case {"error": {"code": int(code), "message": str(message), **rest}}:
            data = rest.get("data")
            raise ProtocolError(code, message, data if isinstance(data, dict) else None)
        case {"detail": str(detail)}:
            raise _failed(f"AgentGuard refuses this ({response.status_code}): {detail}")
    raise _failed(
        f"what answers at {response.url} with {response.status_code} is not AgentGuard's "
        "MCP server: check AGENTGUARD_ENDPOINT, and that the server has the extra `mcp`"
    )


def _failed(message: str) -> ProtocolError:
    return ProtocolError(INTERNAL_ERROR, message)
