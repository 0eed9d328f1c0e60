"""Traces and budgets as resources, which a client can attach to a conversation.

They are what the tools get_trace and check_budget say, in the same fenced text. Names of resources
are made of ids alone: what agents call things does not stand outside the fence.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from agentguard_mcp.backend import Call
from agentguard_mcp.sdk import INVALID_PARAMS, RESOURCE_NOT_FOUND, ProtocolError
from agentguard_mcp.tools import TOOLS
from agentguard_storage.control import Scope
from agentguard_storage.control.errors import ControlPlaneUnavailable
from agentguard_storage.queries.errors import QueryError
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.trace import find_trace_ids
from agentguard_storage.queries.traces import list_traces

__all__ = ["complete", "list_resources", "read_resource", "templates"]

_TEXT: Final = "text/plain"
_NEWEST: Final = 20
_COMPLETIONS: Final = 20
_TRACE: Final = re.compile(r"agentguard://traces/([0-9a-fA-F]{32})/?")
_BUDGET: Final = re.compile(r"agentguard://budgets/([A-Za-z0-9][A-Za-z0-9._-]{0,99})/?")
_HEX: Final = re.compile(r"[0-9a-f]{0,32}")


def templates() -> list[dict[str, Any]]:
    """The resources that there may be, as `resources/templates/list` shows them."""
    return [
        {
            "uriTemplate": "agentguard://traces/{trace_id}",
            "name": "trace",
            "title": "A run of an agent",
            "description": "One trace as a compact tree.",
            "mimeType": _TEXT,
        },
        {
            "uriTemplate": "agentguard://budgets/{name}",
            "name": "budget",
            "title": "A budget",
            "description": "What is left of a budget, how fast it goes, and advice.",
            "mimeType": _TEXT,
        },
    ]


async def list_resources(call: Call) -> dict[str, Any]:
    """The project's budgets, and the newest traces of the last week. Raises ProtocolError."""
    if not call.principal.allows(Scope.READ):
        return {"resources": []}
    budgets = call.backend.control.budgets
    now = datetime.now(UTC) + timedelta(seconds=1)
    try:
        found = await call.run(lambda: budgets.list(call.project_id))
        week = TimeRange(now - timedelta(days=7), now)
        page = await call.ask(list_traces, week, limit=_NEWEST)
    except (QueryError, ControlPlaneUnavailable) as error:
        raise ProtocolError(INVALID_PARAMS, str(error)) from None
    return {
        "resources": [
            *(_resource(f"budgets/{each.name}", f"budget {each.name}") for each in found),
            *(
                _resource(
                    f"traces/{row.trace_id}",
                    f"trace {row.trace_id}",
                    f"started {row.started_at:%Y-%m-%d %H:%M:%S} UTC, {row.span_count} spans, "
                    f"{row.error_count} errors",
                )
                for row in page.rows
            ),
        ]
    }


async def read_resource(call: Call, uri: str) -> dict[str, Any]:
    """One resource. Raises ProtocolError."""
    if trace := _TRACE.fullmatch(uri):
        tool, given = "get_trace", {"trace_id": trace[1]}
    elif budget := _BUDGET.fullmatch(uri):
        tool, given = "check_budget", {"name": budget[1]}
    else:
        raise ProtocolError(
            RESOURCE_NOT_FOUND,
            "there is no such resource; there are agentguard://traces/{trace_id} and "
            "agentguard://budgets/{name}",
        )
    result = await TOOLS[tool].call(call, given)
    text = result["content"][0]["text"]
    if result.get("isError"):
        raise ProtocolError(RESOURCE_NOT_FOUND, text)
    return {"contents": [{"uri": uri, "mimeType": _TEXT, "text": text}]}


async def complete(call: Call, params: dict[str, Any]) -> dict[str, Any]:
    """Ids of traces and names of budgets that begin as given; nothing for other arguments."""
    argument = params.get("argument") or {}
    name, beginning = str(argument.get("name", "")), str(argument.get("value", ""))
    values: list[str] = []
    if call.principal.allows(Scope.READ):
        try:
            values = await _values(call, params.get("ref") or {}, name, beginning)
        except (QueryError, ControlPlaneUnavailable):
            # Completion is a help; a client that gets none can still be typed into.
            values = []
    shown = values[:_COMPLETIONS]
    return {"completion": {"values": shown, "hasMore": len(values) > len(shown)}}


async def _values(call: Call, ref: dict[str, Any], name: str, beginning: str) -> list[str]:
    if name == "trace_id" and _HEX.fullmatch(beginning.lower()):
        return await call.ask(find_trace_ids, beginning.lower(), _COMPLETIONS + 1)
    if name == "name" and ref.get("uri") == "agentguard://budgets/{name}":
        budgets = call.backend.control.budgets
        found = await call.run(lambda: budgets.list(call.project_id))
        return [each.name for each in found if each.name.startswith(beginning)]
    return []


def _resource(path: str, name: str, description: str | None = None) -> dict[str, Any]:
    made = {"uri": f"agentguard://{path}", "name": name, "mimeType": _TEXT}
    return made if description is None else {**made, "description": description}
