"""Messages as the three vocabularies write them.

OpenTelemetry GenAI has lists of messages with parts, as JSON or structured:
https://github.com/open-telemetry/semantic-conventions-genai/blob/main/docs/gen-ai/gen-ai-input-messages.json
OpenInference flattens them to `llm.input_messages.0.message.role`:
https://github.com/Arize-ai/openinference/blob/main/spec/semantic_conventions.md
Traceloop to `gen_ai.prompt.0.role`:
https://github.com/traceloop/openllmetry/blob/main/packages/opentelemetry-semantic-conventions-ai
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

__all__ = [
    "Message",
    "Part",
    "documents",
    "instructions",
    "openinference",
    "parsed",
    "plain_text",
    "text_of",
    "traceloop",
]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a message.

    `type` is OpenTelemetry's (`text`, `reasoning`, `tool_call`, `tool_call_response`, ...) or
    `document`. `text` holds the content, a call's arguments or a result, where they are no text as
    JSON; `length` is how many characters it had before it was cut.
    """

    type: str
    text: str
    length: int
    tool: str = ""
    call_id: str = ""

    @classmethod
    def of(cls, kind: str, content: object, tool: str = "", call_id: str = "") -> Part:
        """Return a part whose content is whole."""
        text = text_of(content)
        return cls(kind, text, len(text), tool, call_id)

    @property
    def is_cut(self) -> bool:
        """Whether there was more."""
        return len(self.text) < self.length


@dataclass(frozen=True, slots=True)
class Message:
    """Who said what; `role` is empty where that was not told."""

    role: str
    parts: list[Part]
    finish_reason: str = ""


def text_of(value: object) -> str:
    """Return a value as text: JSON, unless it is text already; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, default=_odd)
    except (ValueError, RecursionError):
        return str(type(value).__name__)


def _odd(value: object) -> str:
    return value.hex() if isinstance(value, bytes) else str(value)


def plain_text(said: Mapping[str, object], names: Iterable[str], role: str) -> list[Message]:
    """Return the first of these attributes that is there, as a message."""
    for name in names:
        if said.get(name) not in (None, ""):
            return [Message(role, [Part.of("text", said[name])])]
    return []


def parsed(value: object) -> list[Message]:
    """Return OpenTelemetry's messages, or a list as the providers' own APIs take it."""
    found = _loaded(value)
    if found in (None, ""):
        return []
    if isinstance(found, dict):
        found = found["messages"] if isinstance(found.get("messages"), list) else [found]
    if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
        return [Message("", [Part.of("text", value)])]
    return [_message(each) for each in found]


def instructions(value: object) -> list[Message]:
    """Return system instructions, which are a list of parts, as a message."""
    found = _loaded(value)
    if found in (None, "", []):
        return []
    parts = _parts(found) if isinstance(found, list) else [Part.of("text", value)]
    return [Message("system", parts)]


def openinference(said: Mapping[str, object], prefix: str) -> list[Message]:
    """Return the messages below `prefix`, as in `llm.input_messages.0.message.content`."""
    found = []
    for node in _listed(_nested(said, prefix)):
        message = _of(node, "message")
        parts = _texts(message.get("content"))
        for content in _listed(message.get("contents")):
            parts.append(_openinference_part(_of(content, "message_content")))
        for call in _listed(message.get("tool_calls")):
            parts.append(_openinference_call(_of(call, "tool_call")))
        if "function_call_name" in message:
            arguments = message.get("function_call_arguments_json")
            tool = text_of(message["function_call_name"])
            parts.append(Part.of("tool_call", arguments, tool=tool))
        found.append(_answered(message, parts, message.get("finish_reason")))
    return found


def traceloop(said: Mapping[str, object], prefix: str) -> list[Message]:
    """Return the messages below `prefix`, as in `gen_ai.prompt.0.content`."""
    found = []
    for node in _listed(_nested(said, prefix)):
        content = _loaded(node.get("content"))
        parts = _parts(content) if _are_parts(content) else _texts(node.get("content"))
        for call in _listed(node.get("tool_calls")):
            parts.append(_call(call))
        found.append(_answered(node, parts, node.get("finish_reason")))
    return found


def documents(said: Mapping[str, object]) -> list[Message]:
    """Return what a retrieval found, one part for each document."""
    nodes = _listed(_nested(said, "retrieval.documents"))
    parts = [Part.of("document", _of(node, "document").get("content")) for node in nodes]
    if not parts:
        found = _loaded(said.get("gen_ai.retrieval.documents"))
        parts = [Part.of("document", each) for each in found] if isinstance(found, list) else []
    return [Message("", parts)] if parts else []


_CALLS: Final = frozenset({"tool_call", "tool_use", "function_call", "function"})
_RESULTS: Final = frozenset({"tool_call_response", "tool_result", "function_call_output"})


def _loaded(value: object) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value) if value[:1] in "[{" else value
    except (ValueError, RecursionError):
        return value


def _message(said: Mapping[str, Any]) -> Message:
    content = said.get("parts", said.get("content"))
    parts = _parts(content) if isinstance(content, list) else _texts(content)
    if isinstance(calls := said.get("tool_calls"), list):
        parts.extend(_call(call) for call in calls)
    if text_of(said.get("type")) in _CALLS | _RESULTS:
        parts.append(_part(said))
    return _answered(said, parts, said.get("finish_reason"))


def _answered(said: Mapping[str, Any], parts: list[Part], finish_reason: object) -> Message:
    """Return a message; one that answers a call, as the providers write it, says which."""
    role = text_of(said.get("role"))
    if "tool_call_id" in said:
        tool, call_id = text_of(said.get("name")), text_of(said["tool_call_id"])
        parts = [
            Part("tool_call_response", part.text, part.length, tool, call_id)
            if part.type == "text"
            else part
            for part in parts
        ]
    return Message(role, parts, text_of(finish_reason))


def _parts(said: Sequence[Any]) -> list[Part]:
    return [_part(each) if isinstance(each, Mapping) else Part.of("text", each) for each in said]


def _are_parts(content: object) -> bool:
    return isinstance(content, list) and bool(content) and all(isinstance(e, dict) for e in content)


def _part(said: Mapping[str, Any]) -> Part:
    kind = text_of(said.get("type")) or "text"
    if kind in _CALLS:
        return _call(said)
    if kind in _RESULTS:
        names = ("response", "result", "content", "output")
        told = next((said[name] for name in names if name in said), None)
        ids = (said.get(name) for name in ("id", "tool_use_id", "call_id"))
        call_id = next((each for each in ids if each is not None), None)
        return Part.of("tool_call_response", told, text_of(said.get("name")), text_of(call_id))
    names = ("content", "text", "thinking", "reasoning")
    for name in names:
        if isinstance(said.get(name), str):
            return Part.of("reasoning" if kind == "thinking" else kind, said[name])
    return Part.of(kind, {name: value for name, value in said.items() if name != "type"})


def _call(said: object) -> Part:
    if not isinstance(said, Mapping):
        return Part.of("tool_call", said)
    function = said.get("function")
    inner = function if isinstance(function, Mapping) else said
    arguments = next((inner[name] for name in ("arguments", "input") if name in inner), None)
    call_id = said.get("id", said.get("call_id"))
    return Part.of("tool_call", arguments, text_of(inner.get("name")), text_of(call_id))


def _openinference_part(said: Mapping[str, Any]) -> Part:
    if "text" in said:
        return Part.of(text_of(said.get("type")) or "text", said["text"])
    return Part.of(text_of(said.get("type")) or "other", _plain(said))


def _openinference_call(said: Mapping[str, Any]) -> Part:
    function = _of(said, "function")
    name, call_id = text_of(function.get("name")), text_of(said.get("id"))
    return Part.of("tool_call", function.get("arguments"), name, call_id)


def _texts(content: object) -> list[Part]:
    return [] if content is None else [Part.of("text", content)]


def _nested(said: Mapping[str, object], prefix: str) -> dict[str, Any]:
    """Return the attributes below a prefix as dictionaries in dictionaries, by their dots."""
    found: dict[str, Any] = {}
    for name, value in said.items():
        if not name.startswith(prefix + "."):
            continue
        at = found
        *steps, last = name[len(prefix) + 1 :].split(".")
        for step in steps:
            below = at.setdefault(step, {})
            # A name that is said to be a value as well: the first of both stays.
            at = below if isinstance(below, dict) else {}
        at.setdefault(last, value)
    return found


def _listed(node: object) -> list[Mapping[str, Any]]:
    """Return the entries of a flattened list, by their numbers."""
    if not isinstance(node, Mapping):
        return []
    numbers = [key for key in node if key.isascii() and key.isdecimal() and len(key) <= _DIGITS]
    return [node[key] for key in sorted(numbers, key=int) if isinstance(node[key], Mapping)]


_DIGITS: Final = 9


def _of(node: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    inner = node.get(name)
    return inner if isinstance(inner, Mapping) else {}


def _plain(node: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in node.items() if name != "type"}
