"""The MCP SDK as the rest of this package sees it, in the same shape on mcp 1.x and on 2.x.

Requests come in as a method and plain parameters and go out as plain results, in the names of the
specification. That is all that differs between the two SDKs for a server: 1.x registers handlers
for request classes and keeps the context in a variable, 2.x registers them for methods and hands
the context over; attributes are `camelCase` in one and `snake_case` in the other.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Final

from mcp.server.lowlevel import Server
from mcp.shared import exceptions
from starlette.requests import Request

__all__ = [
    "INTERNAL_ERROR",
    "INVALID_PARAMS",
    "RESOURCE_NOT_FOUND",
    "Answer",
    "Asked",
    "ProtocolError",
    "make_server",
]

logger = logging.getLogger(__name__)

# https://www.jsonrpc.org/specification#error_object, and MCP's own for resources (2025-11-25).
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
RESOURCE_NOT_FOUND: Final = -32002

_SECOND: Final = int(version("mcp").partition(".")[0]) >= 2
# The first version of the protocol without a handshake: each request says what the client can.
_MODERN: Final = "2026-07-28"
_METHODS: Final = {
    "tools/list": ("ListToolsRequest", "PaginatedRequestParams", "ListToolsResult"),
    "tools/call": ("CallToolRequest", "CallToolRequestParams", "CallToolResult"),
    "resources/list": ("ListResourcesRequest", "PaginatedRequestParams", "ListResourcesResult"),
    "resources/templates/list": (
        "ListResourceTemplatesRequest", "PaginatedRequestParams", "ListResourceTemplatesResult",
    ),
    "resources/read": ("ReadResourceRequest", "ReadResourceRequestParams", "ReadResourceResult"),
    "prompts/list": ("ListPromptsRequest", "PaginatedRequestParams", "ListPromptsResult"),
    "prompts/get": ("GetPromptRequest", "GetPromptRequestParams", "GetPromptResult"),
    "completion/complete": ("CompleteRequest", "CompleteRequestParams", "CompleteResult"),
}  # fmt: skip
"""Each method with the names of its request (1.x), parameters (2.x) and result."""


class ProtocolError(Exception):
    """A request that has no answer; the client is sent the code and the message."""

    def __init__(self, code: int, message: str, data: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.data = dict(data) if data is not None else None


Elicit = Callable[[str, dict[str, Any]], Awaitable[dict[str, Any]]]
"""Ask the person at the client: a message and a form's schema in, an ElicitResult out."""


@dataclass(frozen=True, slots=True)
class Asked:
    """One request.

    `http` is there where it came over HTTP. `elicits` says that the client can put a form to a
    person: by `elicit` where there is a way back to it, else by an answer with `inputRequests`
    (`multi_round_trip`, protocol 2026-07-28).
    """

    method: str
    params: dict[str, Any]
    http: Request | None = None
    elicits: bool = False
    multi_round_trip: bool = False
    elicit: Elicit | None = None


Answer = Callable[[Asked], Awaitable[dict[str, Any]]]
"""Answers a request with its result. Raises ProtocolError."""


def make_server(name: str, answer: Answer, *, instructions: str) -> Server[Any]:
    """An MCP server whose requests, pings and the handshake aside, are all answered by `answer`."""
    made: Server[Any] = Server(name, version=version("agentguard"), instructions=instructions)
    for method, names in _METHODS.items():
        (_add_second if _SECOND else _add_first)(made, method, names, _guarded(answer))
    return made


def _guarded(answer: Answer) -> Answer:
    """The boundary: what nobody foresaw is logged here, and the client is not shown it."""

    async def guarded(asked: Asked) -> dict[str, Any]:
        try:
            return await answer(asked)
        except ProtocolError as error:
            raise _as_sdk_error(error) from None
        except Exception:
            logger.exception("%s failed unexpectedly", asked.method)
            raise _as_sdk_error(
                ProtocolError(INTERNAL_ERROR, "this failed on the server's side; try again later")
            ) from None

    return guarded


def _add_second(server: Any, method: str, names: tuple[str, str, str], answer: Answer) -> None:
    import mcp_types

    made: Any = mcp_types

    async def handle(context: Any, params: Any) -> Any:
        session = context.session
        declared = session.client_capabilities
        modern = session.protocol_version >= _MODERN

        async def elicit(message: str, schema: dict[str, Any]) -> dict[str, Any]:
            found = await session.elicit_form(message, schema, context.request_id)
            return dict(found.model_dump(mode="json", by_alias=True))

        found = await answer(
            Asked(
                method,
                _plain(params),
                context.request,
                elicits=_puts_forms(declared) and (modern or session.can_send_request),
                multi_round_trip=modern,
                elicit=None if modern else elicit,
            )
        )
        kind = "InputRequiredResult" if "inputRequests" in found else names[2]
        return getattr(made, kind).model_validate(found)

    server.add_request_handler(method, getattr(made, names[1]), handle)


def _add_first(server: Any, method: str, names: tuple[str, str, str], answer: Answer) -> None:
    from mcp import types

    made: Any = types
    result = getattr(made, names[2])

    async def handle(request: Any) -> Any:
        context = server.request_context
        session = context.session

        async def elicit(message: str, schema: dict[str, Any]) -> dict[str, Any]:
            found = await session.elicit_form(message, schema, context.request_id)
            return dict(found.model_dump(mode="json", by_alias=True))

        # Without a session, as over HTTP here, the client's answer could not reach this process.
        declared = session.client_params.capabilities if session.client_params else None
        found = await answer(
            Asked(
                method,
                _plain(request.params),
                context.request,
                elicits=_puts_forms(declared),
                elicit=elicit,
            )
        )
        return made.ServerResult(result.model_validate(found))

    server.request_handlers[getattr(types, names[0])] = handle


def _plain(params: Any) -> dict[str, Any]:
    if params is None:
        return {}
    return dict(params.model_dump(mode="json", by_alias=True, exclude_unset=True))


def _puts_forms(declared: Any) -> bool:
    elicitation = getattr(declared, "elicitation", None)
    # Before there were two kinds of elicitation, a client said nothing more than that it can.
    return elicitation is not None and (
        getattr(elicitation, "form", None) is not None or getattr(elicitation, "url", None) is None
    )


def _as_sdk_error(error: ProtocolError) -> Exception:
    if _SECOND:
        made: Exception = exceptions.MCPError(error.code, error.message, error.data)
        return made
    from mcp import types

    first: Any = exceptions
    data = types.ErrorData(code=error.code, message=error.message, data=error.data)
    failed: Exception = first.McpError(data)
    return failed
