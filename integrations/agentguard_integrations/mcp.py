"""MCP clients: the tools of a server, as tool calls of the agent.

The trace context goes with each call, in `_meta` (https://modelcontextprotocol.io, SEP-414), so
that the server's spans are part of the agent's trace. mcp 2 sends it by itself.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextlib import nullcontext
from typing import Any, Final

from opentelemetry.propagate import inject
from opentelemetry.trace import get_current_span

from agentguard.runtime import runtime
from agentguard.semconv import EXECUTE_TOOL
from agentguard.spans import ToolSpan, tool_span
from agentguard_integrations.instrumentor import Instrumentor, quietly
from agentguard_integrations.patches import Patches

__all__ = ["MCPInstrumentor"]

_METHOD: Final = "mcp.method.name"


class MCPInstrumentor(Instrumentor):
    """Traces and guards `ClientSession.call_tool`: `execute_tool {name}`.

    A framework that has a tool span of its own around the call gets no second one.
    """

    requires = ("mcp >= 1.27",)

    def patch(self, patches: Patches) -> None:
        """Wrap the one method that all clients call tools by."""
        patches.on_import(
            "mcp.client.session",
            lambda module: patches.wrap(module.ClientSession, "call_tool", _call_tool),
        )


async def _call_tool(
    wrapped: Callable[..., Coroutine[Any, Any, Any]], _: Any, args: Any, kwargs: dict[str, Any]
) -> Any:
    name = str(kwargs.get("name", args[0] if args else ""))
    arguments = kwargs.get("arguments", args[1] if len(args) > 1 else None)
    with nullcontext() if _is_traced(name) else _scope(name, arguments) as scope:
        if scope is not None and runtime.capture_content:
            scope.record_input(arguments)
        with quietly("Sending the trace context"):
            kwargs = _with_context(kwargs)
        result = await wrapped(*args, **kwargs)
        if scope is not None:
            with quietly("Recording a tool's result"):
                _record(scope, result)
        return result


def _scope(name: str, arguments: Any) -> ToolSpan:
    scope = tool_span(name, type="extension", attributes={_METHOD: "tools/call"})
    scope.given = lambda: arguments
    return scope


def _is_traced(name: str) -> bool:
    return getattr(get_current_span(), "name", "") == f"{EXECUTE_TOOL} {name}"


def _with_context(kwargs: dict[str, Any]) -> dict[str, Any]:
    carrier: dict[str, str] = {}
    inject(carrier)
    return {**kwargs, "meta": {**carrier, **(kwargs.get("meta") or {})}} if carrier else kwargs


def _record(scope: ToolSpan, result: Any) -> None:
    blocks = [getattr(block, "text", None) or block for block in getattr(result, "content", ())]
    scope.returned(blocks[0] if len(blocks) == 1 else blocks)
    if getattr(result, "is_error", False) or getattr(result, "isError", False):
        # The name of the conventions for MCP: docs/gen-ai/mcp.md.
        scope.record_failure(str(blocks[0]) if blocks else "the tool failed", "tool_error")
