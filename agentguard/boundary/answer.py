"""What came back from a model: its tokens, made disjoint, and what it said."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any, Final

from agentguard.guards.call import Call
from agentguard.prices.model import Usage

__all__ = ["PiecesSoFar", "note_answer", "usage_in"]

_MOST_KEPT: Final = 65_536
"""Characters of a streamed answer that are kept for guards to look at."""


def note_answer(call: Call, answer: Any) -> None:
    """Write on the call what the answer, an object of the client's own types, tells of it."""
    usage = usage_in(answer)
    if usage is not None:
        call.usage = usage
    model = _get(answer, "model")
    if isinstance(model, str) and model:
        call.model = model
    call.response_id = _text_or_none(_get(answer, "id"))
    if call.kind == "llm":
        named = list(_tool_calls(answer))
        call.tool_call_ids = tuple(_text_or_none(given) for given, _ in named)
        call.output = {"text": _text(answer), "tool_calls": [said for _, said in named]}
        call.finish_reasons = tuple(_finish_reasons(answer))


def usage_in(answer: Any) -> Usage | None:
    """The disjoint counts; None where the answer has none.

    OpenAI counts cached tokens into the input and reasoning into the output
    (https://platform.openai.com/docs/api-reference/chat/object); Anthropic reports what was read
    from and written to a cache beside the input
    (https://docs.claude.com/en/api/messages#response-usage).
    """
    usage = _get(answer, "usage")
    if usage is None:
        return None
    sent = _count(usage, "prompt_tokens") + _count(usage, "input_tokens")
    answered = _count(usage, "completion_tokens") + _count(usage, "output_tokens")
    read, written = (
        _count(usage, "cache_read_input_tokens"),
        _count(usage, "cache_creation_input_tokens"),
    )
    details = _get(usage, "prompt_tokens_details") or _get(usage, "input_tokens_details")
    cached = min(_count(details, "cached_tokens"), sent)
    details = _get(usage, "completion_tokens_details") or _get(usage, "output_tokens_details")
    thought = min(
        _count(details, "reasoning_tokens") or _count(details, "thinking_tokens"), answered
    )
    return Usage(
        input=sent - cached,
        cache_read=cached + read,
        cache_write=written,
        output=answered - thought,
        reasoning=thought,
    )


class PiecesSoFar:
    """A streamed answer, put together as far as it has arrived."""

    def __init__(self, call: Call) -> None:
        self._call = call
        self._texts: list[str] = []
        self._tools: dict[object, list[str]] = {}
        self._ids: dict[object, str] = {}
        self._usage = Usage()

    def add(self, piece: Any) -> None:
        """Take in one piece, of any of the clients' stream types."""
        call = self._call
        if call.first_chunk is None:
            call.first_chunk = time.monotonic()
        for choice in _get(piece, "choices") or ():
            self._add_chat(_get(choice, "delta"), _get(choice, "text"))
            self._finish(_get(choice, "finish_reason"))
        kind = _get(piece, "type")
        if isinstance(kind, str):
            self._add_event(kind, piece)
        elif _get(piece, "usage") is not None:
            call.usage = usage_in(piece)
        model = _get(piece, "model")
        if isinstance(model, str) and model:
            call.model = model
            call.response_id = _text_or_none(_get(piece, "id"))

    def end(self) -> None:
        """Write what there is on the call."""
        tools = [{"name": name, "arguments": "".join(rest)} for name, *rest in self._tools.values()]
        self._call.tool_call_ids = tuple(self._ids.get(key) for key in self._tools)
        if self._texts or tools:
            self._call.output = {"text": "".join(self._texts), "tool_calls": tools}

    def _add_chat(self, delta: Any, text: Any) -> None:
        self._say(_get(delta, "content"))
        self._say(text)
        self._think(_get(delta, "reasoning_content") or _get(delta, "reasoning"))
        for part in _get(delta, "tool_calls") or ():
            function = _get(part, "function")
            key = _get(part, "index")
            self._identify(key, _get(part, "id"))
            self._call_tool(key, _get(function, "name"), _get(function, "arguments"))

    def _add_event(self, kind: str, event: Any) -> None:
        """An event of OpenAI's Responses API, or of Anthropic's Messages API."""
        if kind in ("response.completed", "response.incomplete", "response.failed"):
            note_answer(self._call, _get(event, "response"))
        elif kind == "response.output_text.delta":
            self._say(_get(event, "delta"))
        elif kind == "response.function_call_arguments.delta":
            self._call_tool(_get(event, "output_index"), None, _get(event, "delta"))
        elif kind == "response.output_item.added":
            item = _get(event, "item")
            if _get(item, "type") == "function_call":
                self._identify(_get(event, "output_index"), _get(item, "call_id"))
                self._call_tool(_get(event, "output_index"), _get(item, "name"), None)
        elif kind.startswith("response.reasoning") and kind.endswith(".delta"):
            self._think(_get(event, "delta"))
        elif kind == "message_start":
            message = _get(event, "message")
            self._usage = usage_in(message) or self._usage
            model = _get(message, "model")
            if isinstance(model, str) and model:
                self._call.model = model
            self._call.response_id = _text_or_none(_get(message, "id"))
        elif kind == "content_block_start":
            block = _get(event, "content_block")
            if _get(block, "type") == "tool_use":
                self._identify(_get(event, "index"), _get(block, "id"))
                self._call_tool(_get(event, "index"), _get(block, "name"), None)
        elif kind == "content_block_delta":
            delta = _get(event, "delta")
            self._say(_get(delta, "text"))
            self._think(_get(delta, "thinking"))
            self._call_tool(_get(event, "index"), None, _get(delta, "partial_json"))
        elif kind == "message_delta":
            self._finish(_get(_get(event, "delta"), "stop_reason"))
            # Counts are of the whole answer so far, and only those that changed are there.
            latest = usage_in(event)
            if latest is not None:
                self._usage = Usage(*map(max, self._usage, latest))
                self._call.usage = self._usage

    def _say(self, text: Any) -> None:
        if isinstance(text, str) and text:
            if self._call.streamed_chars < _MOST_KEPT:
                self._texts.append(text)
            self._call.streamed_chars += len(text)

    def _think(self, text: Any) -> None:
        if isinstance(text, str):
            self._call.streamed_chars += len(text)

    def _finish(self, reason: Any) -> None:
        if isinstance(reason, str):
            self._call.finish_reasons = (*self._call.finish_reasons, reason)

    def _identify(self, key: object, id: Any) -> None:  # noqa: A002 - what it is
        if isinstance(id, str) and id:
            self._ids[key] = id

    def _call_tool(self, key: object, name: Any, arguments: Any) -> None:
        if name is None and arguments is None:
            return
        parts = self._tools.setdefault(key, [""])
        if isinstance(name, str) and name:
            parts[0] = name
        if isinstance(arguments, str):
            if self._call.streamed_chars < _MOST_KEPT:
                parts.append(arguments)
            self._call.streamed_chars += len(arguments)


def _text(answer: Any) -> str:
    said: list[str] = []
    for choice in _get(answer, "choices") or ():
        text = _get(_get(choice, "message"), "content") or _get(choice, "text")
        said += [text] if isinstance(text, str) else []
    for block in _blocks(answer):
        text = _get(block, "text")
        said += [text] if isinstance(text, str) else []
    return "\n".join(said)


def _tool_calls(answer: Any) -> Iterator[tuple[object, dict[str, object]]]:
    """The tools that the model asks for, each after the id of its call."""
    for choice in _get(answer, "choices") or ():
        for call in _get(_get(choice, "message"), "tool_calls") or ():
            function = _get(call, "function") or _get(call, "custom")
            arguments = _get(function, "arguments") or _get(function, "input")
            yield _get(call, "id"), {"name": _get(function, "name"), "arguments": arguments}
    for item in (*_list(answer, "output"), *_list(answer, "content")):
        if _get(item, "type") in ("function_call", "tool_use"):
            arguments = _get(item, "arguments") or _get(item, "input")
            given = _get(item, "call_id") or _get(item, "id")
            yield given, {"name": _get(item, "name"), "arguments": arguments}


def _finish_reasons(answer: Any) -> Iterator[str]:
    """Of each choice of a chat; of Anthropic's message; of OpenAI's response, what ended it."""
    for choice in _get(answer, "choices") or ():
        reason = _get(choice, "finish_reason")
        if isinstance(reason, str):
            yield reason
    reason = _get(answer, "stop_reason")
    if reason is None and _get(answer, "object") == "response":
        reason = _get(_get(answer, "incomplete_details"), "reason") or _get(answer, "status")
    if isinstance(reason, str):
        yield reason


def _blocks(answer: Any) -> Iterator[Any]:
    """The blocks of text of OpenAI's Responses, and those of Anthropic's messages."""
    for item in _list(answer, "output"):
        yield from _list(item, "content")
    yield from _list(answer, "content")


def _list(value: Any, name: str) -> list[Any]:
    found = _get(value, name)
    return found if isinstance(found, list) else []


def _get(value: Any, name: str) -> Any:
    """A field of an object of the client's, or of the mapping that it was made of."""
    if value is None:
        return None
    try:
        # A field that a model does not have costs microseconds to ask for in any other way.
        fields, more = value.__dict__, value.__pydantic_extra__
    except AttributeError:
        return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
    if name in fields:
        return fields[name]
    return more.get(name) if more else None


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _count(value: Any, name: str) -> int:
    found = _get(value, name)
    return found if isinstance(found, int) and found > 0 else 0
