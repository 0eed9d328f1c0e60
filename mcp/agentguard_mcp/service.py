"""The server's answers: tools, resources and prompts, for whoever asks with a key."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from agentguard_mcp.backend import Backend, Call
from agentguard_mcp.prompts import get_prompt, list_prompts
from agentguard_mcp.resources import complete, list_resources, read_resource, templates
from agentguard_mcp.sdk import INVALID_PARAMS, Asked, ProtocolError
from agentguard_mcp.tools import TOOLS
from agentguard_mcp.untrusted import one_line
from agentguard_storage.control import Principal

__all__ = ["Service"]

Caller = Callable[[Asked], tuple[Principal, str]]
"""Says who asks, and by which address the server was reached."""


class Service:
    """Answers what the SDK does not answer itself."""

    def __init__(self, backend: Backend, caller: Caller) -> None:
        self._backend = backend
        self._caller = caller

    async def __call__(self, asked: Asked) -> dict[str, Any]:
        """The result of a request. Raises ProtocolError."""
        principal, base_url = self._caller(asked)
        call = Call(self._backend, principal, base_url)
        params = asked.params
        match asked.method:
            case "tools/list":
                shown = [tool.name for tool in TOOLS.values() if principal.allows(tool.scope)]
                return {"tools": [_listed(name) for name in shown]}
            case "tools/call":
                return await _call_tool(call, params)
            case "resources/list":
                return await list_resources(call)
            case "resources/templates/list":
                return {"resourceTemplates": templates()}
            case "resources/read":
                return await read_resource(call, str(params.get("uri", "")))
            case "prompts/list":
                return {"prompts": list_prompts()}
            case "prompts/get":
                return get_prompt(str(params.get("name", "")), params.get("arguments") or {})
            case "completion/complete":
                return await complete(call, params)
        raise ProtocolError(INVALID_PARAMS, f"{one_line(asked.method)} is not answered here")


@cache
def _listed(name: str) -> dict[str, Any]:
    """A tool's entry in the list; its schemas take milliseconds to make."""
    return TOOLS[name].listed()


async def _call_tool(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    tool = TOOLS.get(str(params.get("name", "")))
    if tool is None:
        raise ProtocolError(INVALID_PARAMS, f"there is no tool {one_line(params.get('name'))}")
    return await tool.call(call, params.get("arguments") or {})
