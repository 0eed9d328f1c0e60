"""A person is asked before anything is changed, where the client can ask one.

A client that declares elicitation has somebody in front of it. Others, an agent in production for
instance, change what their key's scopes allow. Nobody is asked about what the key may not do.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from agentguard_mcp.sdk import Answer, Asked
from agentguard_mcp.untrusted import one_line

__all__ = ["confirming"]

_KEY: Final = "confirm"
_FORM: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {
        _KEY: {
            "type": "boolean",
            "title": "Go ahead",
            "description": "Nothing is changed unless this is set.",
        }
    },
    "required": [_KEY],
}
_SHOWN_ARGUMENTS: Final = 8


def confirming(answer: Answer) -> Answer:
    """The same answers, but calls of tools that change something wait for a person's yes."""

    async def confirmed(asked: Asked) -> dict[str, Any]:
        if asked.method != "tools/call" or not asked.elicits:
            return await answer(asked)
        tool = await _listed(asked, answer)
        if tool is None or tool.get("annotations", {}).get("readOnlyHint", True):
            return await answer(asked)
        message = _question(tool, asked.params.get("arguments") or {})
        if asked.elicit is not None:
            said: Any = await asked.elicit(message, _FORM)
        elif asked.multi_round_trip:
            said = (asked.params.get("inputResponses") or {}).get(_KEY)
            if said is None:
                form = {"mode": "form", "message": message, "requestedSchema": _FORM}
                request = {"method": "elicitation/create", "params": form}
                return {"resultType": "input_required", "inputRequests": {_KEY: request}}
        else:
            said = None
        if _agreed(said):
            return await answer(asked)
        words = "the person at the client did not confirm this; nothing was changed"
        return {"content": [{"type": "text", "text": words}], "isError": True}

    return confirmed


async def _listed(asked: Asked, answer: Answer) -> dict[str, Any] | None:
    listing = await answer(replace(asked, method="tools/list", params={}))
    named = asked.params.get("name")
    return next((tool for tool in listing["tools"] if tool["name"] == named), None)


def _question(tool: dict[str, Any], arguments: dict[str, Any]) -> str:
    """What is asked: the tool's own title, and the arguments as the agent chose them, quoted."""
    shown = [
        f"{one_line(name, 40)[1:-1]}: {one_line(value)}"
        for name, value in list(arguments.items())[:_SHOWN_ARGUMENTS]
    ]
    what = tool.get("title") or tool["name"]
    return "\n".join([f"AgentGuard: {what}? The agent asks for it with:", *shown])


def _agreed(said: Any) -> bool:
    if not isinstance(said, dict) or said.get("action") != "accept":
        return False
    return (said.get("content") or {}).get(_KEY) is True
