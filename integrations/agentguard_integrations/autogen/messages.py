"""What is sent to a model and what it says, in AutoGen's types, as guards and spans take it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

__all__ = ["said_by", "sent"]

_ROLES = {
    "SystemMessage": "system",
    "UserMessage": "user",
    "AssistantMessage": "assistant",
    "CreateResult": "assistant",
}


def sent(messages: Sequence[Any]) -> list[dict[str, object]]:
    """The messages as OpenAI's chat completions have them; the results of tools one by one."""
    plain: list[dict[str, object]] = []
    for message in messages:
        kind = type(message).__name__
        if kind == "FunctionExecutionResultMessage":
            plain += [
                {"role": "tool", "tool_call_id": each.call_id, "content": each.content}
                for each in message.content
            ]
        else:
            plain.append({"role": _ROLES.get(kind, "user"), **_content(message.content)})
    return plain


def said_by(result: Any) -> tuple[dict[str, object], tuple[str, ...]]:
    """The output of a `CreateResult`, and the ids of the tool calls in it."""
    if isinstance(result.content, str):
        return {"text": result.content, "tool_calls": []}, ()
    calls = [{"name": call.name, "arguments": call.arguments} for call in result.content]
    said = {"text": result.thought or "", "tool_calls": calls}
    return said, tuple(call.id for call in result.content)


def _content(content: Any) -> dict[str, object]:
    if isinstance(content, str):
        return {"content": content}
    calls = [
        {
            "id": part.id,
            "type": "function",
            "function": {"name": part.name, "arguments": part.arguments},
        }
        for part in content
        if hasattr(part, "arguments")
    ]
    text = "\n".join(part for part in content if isinstance(part, str))
    return {"content": text, **({"tool_calls": calls} if calls else {})}
