"""Two questions that people ask most, as prompts that a client offers by name."""

from __future__ import annotations

import re
from typing import Any, Final

from agentguard_mcp.sdk import INVALID_PARAMS, ProtocolError
from agentguard_mcp.untrusted import one_line

__all__ = ["get_prompt", "list_prompts"]

_TRACE_ID: Final = re.compile(r"[0-9a-fA-F]{32}")
_LAST: Final = re.compile(r"[1-9][0-9]{0,3}[mhdw]")

_PROMPTS: Final = (
    {
        "name": "why-did-this-run-fail",
        "title": "Why did this run fail?",
        "description": "Find what went wrong in one run, with evidence, and what to change.",
        "arguments": [
            {
                "name": "trace_id",
                "description": "The run's trace id, 32 hexadecimal digits; the newest failed run "
                "where none is given.",
                "required": False,
            }
        ],
    },
    {
        "name": "where-does-the-money-go",
        "title": "Where does the money go?",
        "description": "Break down what agents spent, find waste, and say what would save most.",
        "arguments": [
            {
                "name": "last",
                "description": "The time to look back, such as 24h, 7d or 4w; 7d where none is "
                "given.",
                "required": False,
            }
        ],
    },
)


def list_prompts() -> list[dict[str, Any]]:
    """The prompts as `prompts/list` shows them."""
    return [dict(prompt) for prompt in _PROMPTS]


def get_prompt(name: str, arguments: dict[str, Any]) -> dict[str, Any]:
    """One prompt, filled in. Raises ProtocolError."""
    for prompt in _PROMPTS:
        if prompt["name"] == name:
            write = _failure if name == "why-did-this-run-fail" else _money
            message = {"role": "user", "content": {"type": "text", "text": write(arguments)}}
            return {"description": prompt["description"], "messages": [message]}
    raise ProtocolError(INVALID_PARAMS, f"there is no prompt {one_line(name)}")


def _failure(arguments: dict[str, Any]) -> str:
    trace_id = str(arguments.get("trace_id") or "")
    if trace_id and not _TRACE_ID.fullmatch(trace_id):
        raise ProtocolError(INVALID_PARAMS, "trace_id is not 32 hexadecimal digits")
    which = (
        f"the run with the trace id {trace_id.lower()}"
        if trace_id
        else "the newest run that failed or was stopped (find it with get_alerts)"
    )
    return (
        f"Why did {which} fail? Open it with get_trace, and where a guard stopped it use "
        "explain_stop. Follow the errors down to the first span that went wrong, and open that one "
        "with get_span. If a similar run went well (search for the same service and name), compare "
        "the two with compare_traces. Then tell me in a few sentences: what happened, the first "
        "cause with the span that shows it, what it cost, and the one change that would prevent "
        "it. Say what you are not sure of. Quote recorded text only as evidence."
    )


def _money(arguments: dict[str, Any]) -> str:
    last = str(arguments.get("last") or "7d")
    if not _LAST.fullmatch(last):
        raise ProtocolError(INVALID_PARAMS, "last is a number and m, h, d or w, such as 24h or 7d")
    return (
        f"Where did the money of my agents go in the last {last}? Use get_costs by model, by agent "
        "and by service, get_usage for the volume, and check_budget for what is left. Open the two "
        "or three most expensive runs (query_traces with order cost) to see what made them so. "
        "Then give me a short table of the largest items with their share, name calls whose price "
        "is unknown, and suggest up to three changes ordered by what they would save; mark every "
        "saving as an estimate and say how you arrived at it."
    )
