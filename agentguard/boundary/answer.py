"""What came back from a model: its tokens, made disjoint, and what it said."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any, Final

from agentguard.guards.call import Call
from agentguard.prices.model import Usage

__all__ = ["PiecesSoFar", "note_answer", "usage_in"]

_MOST_KEPT: Final = 65_536
"""Characters of a streamed answer that are kept for guards to look at."""


def note_answer(call: Call, answer: Any) -> None:
    """Write on the call what the answer, an object of the client's own types, tells of it."""
    said = _reader(answer)
    usage = _usage(said("usage"))
    if usage is not None:
        call.usage = usage
    model = said("model")
    if isinstance(model, str) and model:
        call.model = model
    call.response_id = _text_or_none(said("id"))
    if call.kind == "llm":
        texts, tools, reasons = _parts(said)
        call.tool_call_ids = tuple(_text_or_none(given) for given, _ in tools)
        call.output = {"text": "\n".join(texts), "tool_calls": [asked for _, asked in tools]}
        call.finish_reasons = tuple(reasons)


def usage_in(answer: Any) -> Usage | None:
    """The disjoint counts; None where the answer has none.

    OpenAI counts cached tokens into the input and reasoning into the output
    (https://platform.openai.com/docs/api-reference/chat/object); Anthropic reports what was read
    from and written to a cache beside the input
    (https://docs.claude.com/en/api/messages#response-usage).
    """
    return _usage(_get(answer, "usage"))


def _usage(usage: Any) -> Usage | None:
    if usage is None:
        return None
    get = _reader(usage)
    sent = _positive(get("prompt_tokens")) + _positive(get("input_tokens"))
    answered = _positive(get("completion_tokens")) + _positive(get("output_tokens"))
    read = _positive(get("cache_read_input_tokens"))
    written = _positive(get("cache_creation_input_tokens"))
    cached = thought = 0
    details = get("prompt_tokens_details") or get("input_tokens_details")
    if details is not None:
        cached = min(_positive(_get(details, "cached_tokens")), sent)
    details = get("completion_tokens_details") or get("output_tokens_details")
    if details is not None:
        reasoned = _positive(_get(details, "reasoning_tokens"))
        thought = min(reasoned or _positive(_get(details, "thinking_tokens")), answered)
    return Usage(sent - cached, cached + read, written, answered - thought, thought)


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


_Asked = tuple[object, dict[str, object]]
"""A tool that a model asks for, after the id of its call."""


def _parts(said: Callable[[str], Any]) -> tuple[list[str], list[_Asked], list[str]]:
    """What an answer says, the tools that it asks for, and why it ended.

    That is: of each choice of a chat; of OpenAI's response; of Anthropic's message.
    """
    texts: list[object] = []
    tools: list[_Asked] = []
    reasons: list[object] = []
    for each in said("choices") or ():
        choice = _reader(each)
        message = _reader(choice("message"))
        texts.append(message("content") or choice("text"))
        tools += map(_tool_of_chat, message("tool_calls") or ())
        reasons.append(choice("finish_reason"))
    output, content = said("output"), said("content")
    for item in output if isinstance(output, list) else ():
        tools += _tools_in(item)
        texts += [_get(block, "text") for block in _list(item, "content")]
    for block in content if isinstance(content, list) else ():
        tools += _tools_in(block)
        texts.append(_get(block, "text"))
    ended = said("stop_reason")
    if ended is None and said("object") == "response":
        ended = _get(said("incomplete_details"), "reason") or said("status")
    reasons.append(ended)
    return _strings(texts), tools, _strings(reasons)


def _tool_of_chat(call: Any) -> _Asked:
    function = _get(call, "function") or _get(call, "custom")
    arguments = _get(function, "arguments") or _get(function, "input")
    return _get(call, "id"), {"name": _get(function, "name"), "arguments": arguments}


def _tools_in(item: Any) -> Iterator[_Asked]:
    """The tool that an item of OpenAI's response, or a block of Anthropic's message, asks for."""
    if _get(item, "type") in ("function_call", "tool_use"):
        arguments = _get(item, "arguments") or _get(item, "input")
        given = _get(item, "call_id") or _get(item, "id")
        yield given, {"name": _get(item, "name"), "arguments": arguments}


def _strings(values: list[object]) -> list[str]:
    return [value for value in values if isinstance(value, str)]


def _list(value: Any, name: str) -> list[Any]:
    found = _get(value, name)
    return found if isinstance(found, list) else []


def _get(value: Any, name: str) -> Any:
    """A field of an object of the client's, or of the mapping that it was made of."""
    return None if value is None else _reader(value)(name)


def _reader(value: Any) -> Callable[[str], Any]:
    """What gives the fields of a value, where many are asked of it: takes a field's name."""
    try:
        # A field that a model does not have costs microseconds to ask for in any other way.
        fields, more = value.__dict__, value.__pydantic_extra__
    except AttributeError:
        return value.get if isinstance(value, Mapping) else partial(_attribute, value)
    get: Callable[[str], Any] = ({**more, **fields} if more else fields).get
    return get


def _attribute(value: Any, name: str) -> Any:
    return getattr(value, name, None)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _positive(count: Any) -> int:
    return count if isinstance(count, int) and count > 0 else 0
