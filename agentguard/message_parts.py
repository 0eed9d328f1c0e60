"""Messages as model providers take and give them, in the form of the GenAI conventions.

    {"role": "tool", "parts": [{"type": "tool_call_response", "id": "call_1", "response": "42"}]}

Source: https://github.com/open-telemetry/semantic-conventions-genai, docs/gen-ai/
gen-ai-input-messages.json and gen-ai-output-messages.json. The shapes taken are those of OpenAI's
chat completions and responses, of Anthropic's messages, and the conventions' own, which stay.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

__all__ = ["as_message"]


def as_message(message: object, role: str) -> object:
    """The message with `parts`; `role` is for one that does not tell its own.

    Keys that are not understood are kept.
    """
    if not isinstance(message, Mapping):
        return {"role": role, "parts": list(_parts(message))}
    if "parts" in message:
        return message
    if "role" not in message and "type" in message:
        return {"role": _ROLE_OF.get(message["type"], role), "parts": list(_parts([message]))}
    rest = {key: value for key, value in message.items() if key not in _TAKEN}
    said_by = message.get("role", role)
    content, asks = message.get("content"), message.get("tool_calls")
    parts: list[object]
    if said_by == "tool" and "tool_call_id" in message:
        parts = [_response(message["tool_call_id"], content)]
    else:
        parts = [*_parts(content), *_parts(asks if isinstance(asks, Sequence) else None)]
        rest |= {} if "tool_call_id" not in message else {"tool_call_id": message["tool_call_id"]}
    return {"role": said_by, "parts": parts, **rest}


_TAKEN = frozenset({"role", "content", "tool_calls", "tool_call_id"})
_ROLE_OF = {"function_call": "assistant", "function_call_output": "tool", "reasoning": "assistant"}
_TEXTS = frozenset({"text", "input_text", "output_text", "summary_text"})
_ASKS = frozenset({"function", "custom", "tool_use", "function_call"})


def _parts(content: object) -> Iterator[object]:
    if content is None:
        return
    if isinstance(content, Mapping):
        yield _part(content)
    elif isinstance(content, Sequence) and not isinstance(content, str | bytes):
        for part in content:
            yield _part(part) if isinstance(part, Mapping) else _text(part)
    else:
        yield _text(content)


def _part(part: Mapping[str, object]) -> object:
    """One typed block, by the name that the conventions have for it; any other as it is."""
    kind = part.get("type")
    if kind in _TEXTS and isinstance(part.get("text"), str):
        return _text(part["text"])
    if kind in _ASKS:
        return _tool_call(part)
    if kind in ("tool_result", "function_call_output"):
        called = part.get("tool_use_id") or part.get("call_id")
        return _response(called, part.get("content", part.get("output")))
    if kind == "thinking":
        return {"type": "reasoning", "content": part.get("thinking")}
    return part


def _tool_call(part: Mapping[str, object]) -> dict[str, object]:
    nested = part.get("function") or part.get("custom")
    said = nested if isinstance(nested, Mapping) else part
    return {
        "type": "tool_call",
        "id": part.get("call_id") or part.get("id"),
        "name": said.get("name"),
        "arguments": _parsed(said.get("arguments", said.get("input"))),
    }


def _response(called: object, said: object) -> dict[str, object]:
    return {"type": "tool_call_response", "id": called, "response": said}


def _text(content: object) -> dict[str, object]:
    return {"type": "text", "content": content}


def _parsed(said: object) -> object:
    """Arguments are JSON in a text at some providers; what is no JSON stays a text."""
    if not isinstance(said, str):
        return said
    try:
        return json.loads(said)
    except ValueError:
        return said
