"""What a request to Gemini asks and what comes back: https://ai.google.dev/api/generate-content."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pydantic_core import from_json

from agentguard.guards.call import Call
from agentguard.prices.model import Usage

__all__ = ["Answer", "compared_in", "messages_in", "model_in", "most_tokens"]

_KINDS: Final = {
    "generateContent": "llm",
    "streamGenerateContent": "llm",
    "embedContent": "embedding",
    "batchEmbedContents": "embedding",
}
_ROLES: Final = {"model": "assistant", "function": "tool"}


def model_in(path: str) -> tuple[str, str] | None:
    """The kind of call and the model, from a path such as `models/gemini-3:generateContent`."""
    where, _, method = path.partition("?")[0].rpartition(":")
    kind = _KINDS.get(method)
    return (kind, where.rpartition("/")[2]) if kind and where else None


def most_tokens(body: Mapping[str, Any]) -> int | None:
    """The output tokens that the request allows; None where it does not say."""
    found = (body.get("generationConfig") or {}).get("maxOutputTokens")
    return found if isinstance(found, int) else None


def messages_in(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What the model is sent, its instructions first, as messages with parts."""
    system = body.get("systemInstruction")
    turns = [*([system] if isinstance(system, dict) else []), *_listed(body.get("contents"))]
    messages = [_message(turn) for turn in turns if isinstance(turn, dict)]
    if isinstance(system, dict):
        messages[0]["role"] = "system"
    return messages


def compared_in(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What `messages_in` gives, for guards: a message that is a text has it as its `content`.

    Such are compared in a fraction of the time that parts take.
    """
    system = body.get("systemInstruction")
    messages = [] if system is None else [{"role": "system", "content": system}]
    for turn in _listed(body.get("contents")):
        text = _only_text(turn.get("parts"))
        if text is None:
            messages.append(_message(turn))
        else:
            messages.append({"role": _role(turn), "content": text})
    return messages


def _only_text(parts: object) -> str | None:
    if not isinstance(parts, list) or len(parts) != 1 or not isinstance(parts[0], dict):
        return None
    text = parts[0].get("text")
    return text if isinstance(text, str) and not parts[0].get("thought") else None


class Answer:
    """An answer, put together as far as it has arrived."""

    def __init__(self) -> None:
        self._texts: list[str] = []
        self._tools: list[dict[str, Any]] = []
        self._said: dict[str, Any] = {}
        self._reasons: list[str] = []

    def add(self, said: Any) -> int:
        """Take in a whole answer, or a piece of a streamed one; how many characters it said."""
        # In a third of the time that `json` takes: the client reads it once more.
        said = from_json(said.body or "{}")
        if not isinstance(said, dict):
            return 0
        self._said |= said
        chars = 0
        for candidate in _listed(said.get("candidates")):
            reason = candidate.get("finishReason")
            if isinstance(reason, str):
                self._reasons.append(reason.lower())
            for part in _listed((candidate.get("content") or {}).get("parts")):
                chars += self._add_part(part)
        return chars

    def tell(self, call: Call) -> None:
        """Write on the call what there is."""
        said = self._said
        version, given = said.get("modelVersion"), said.get("responseId")
        if isinstance(version, str) and version:
            call.model = version
        if isinstance(given, str):
            call.response_id = given
        usage = said.get("usageMetadata")
        if isinstance(usage, dict):
            call.usage = _usage(usage)
        if call.kind == "llm":
            call.finish_reasons = tuple(self._reasons)
            call.tool_call_ids = tuple(tool.get("id") for tool in self._tools)
            asked = [{"name": t.get("name"), "arguments": t.get("args")} for t in self._tools]
            call.output = {"text": "".join(self._texts), "tool_calls": asked}

    def _add_part(self, part: Mapping[str, Any]) -> int:
        text = part.get("text")
        if isinstance(text, str):
            if not part.get("thought"):
                self._texts.append(text)
            return len(text)
        asked = part.get("functionCall")
        if isinstance(asked, dict):
            self._tools.append(asked)
            return len(json.dumps(asked.get("args")))
        return 0


def _usage(said: Mapping[str, Any]) -> Usage:
    """The disjoint counts: Gemini counts cached tokens into the prompt, and thoughts apart."""
    cached = _count(said, "cachedContentTokenCount")
    sent = _count(said, "promptTokenCount") + _count(said, "toolUsePromptTokenCount")
    return Usage(
        input=max(0, sent - cached),
        cache_read=cached,
        output=_count(said, "candidatesTokenCount"),
        reasoning=_count(said, "thoughtsTokenCount"),
    )


def _message(turn: Mapping[str, Any]) -> dict[str, Any]:
    parts = list(_parts(turn))
    answers = any(part.get("type") == "tool_call_response" for part in parts)
    return {"role": "tool" if answers else _role(turn), "parts": parts}


def _role(turn: Mapping[str, Any]) -> str:
    role = str(turn.get("role") or "user")
    return _ROLES.get(role, role)


def _parts(turn: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for part in _listed(turn.get("parts")):
        asked, answered = part.get("functionCall"), part.get("functionResponse")
        if asked:
            yield {
                "type": "tool_call",
                "id": asked.get("id"),
                "name": asked.get("name"),
                "arguments": asked.get("args"),
            }
        elif answered:
            yield {
                "type": "tool_call_response",
                "id": answered.get("id"),
                "response": answered.get("response"),
            }
        elif isinstance(part.get("text"), str):
            kind = "reasoning" if part.get("thought") else "text"
            yield {"type": kind, "content": part["text"]}
        else:
            yield {"type": "other", **part}


def _listed(value: object) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _count(said: Mapping[str, Any], name: str) -> int:
    found = said.get(name)
    # Most of the counts are not there.
    return found if found and isinstance(found, int) and found > 0 else 0
