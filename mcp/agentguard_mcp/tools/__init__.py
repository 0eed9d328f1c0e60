"""The tools, by name; each module has those that belong together."""

from __future__ import annotations

from typing import Any, Final

from agentguard_mcp.tool import Tool
from agentguard_mcp.tools import budgets, comparing, money, stops, trace, traces, writing

__all__ = ["TOOLS"]

_ALL: tuple[Tool[Any, Any], ...] = (
    *budgets.TOOLS,
    *traces.TOOLS,
    *trace.TOOLS,
    *stops.TOOLS,
    *comparing.TOOLS,
    *money.TOOLS,
    *writing.TOOLS,
)

TOOLS: Final[dict[str, Tool[Any, Any]]] = {tool.name: tool for tool in _ALL}
