"""`POST /v1/messages`: https://docs.claude.com/en/api/messages."""

import json
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from typing import Any

from agentguard.demo.provider.conversation import (
    Answer,
    Conversation,
    Message,
    Responder,
    ToolCall,
    Usage,
    measure,
    stable_id,
)
from agentguard.demo.provider.errors import ProtocolError
from agentguard.demo.provider.openai_request import required, text_of, tool_names
from agentguard.demo.provider.reply import Reply, pieces, server_sent_event

__all__ = ["answer"]


def answer(body: Mapping[str, Any], responder: Responder) -> Reply:
    """Answers one request, streamed when it asks for `stream`."""
    conversation = _conversation(body)
    said = responder(conversation)
    usage = measure(conversation, said)
    if not body.get("stream"):
        content = [
            {**opening, **filled} for opening, filled, _ in (_block(part) for part in _parts(said))
        ]
        message = _message(conversation, content, _stop_reason(said), _usage(usage))
        return Reply(message, usage=usage)
    return Reply(events=_stream(conversation, said, usage), usage=usage)


def _conversation(body: Mapping[str, Any]) -> Conversation:
    required(body, "max_tokens", int)
    raw = required(body, "messages", list)
    if not raw:
        raise ProtocolError(
            HTTPStatus.BAD_REQUEST, "messages: at least one message is required", param="messages"
        )
    system = text_of(body.get("system"))
    first = (Message("system", system),) if system else ()
    return Conversation(
        model=required(body, "model", str),
        messages=(*first, *(part for message in raw for part in _messages(message))),
        tools=tool_names(body.get("tools")),
    )


def _messages(raw: Mapping[str, Any]) -> Iterator[Message]:
    """A message of theirs; each result of a tool in it is one of its own."""
    content = raw.get("content")
    blocks = content if isinstance(content, list) else []
    results = [block for block in blocks if block.get("type") == "tool_result"]
    for block in results:
        yield Message("tool", text_of(block.get("content")))
    calls = tuple(
        ToolCall(block["id"], block["name"], json.dumps(block["input"]))
        for block in blocks
        if block.get("type") == "tool_use"
    )
    text = text_of(content)
    if text or calls or not results:
        yield Message(str(raw.get("role", "user")), text, calls)


def _message(
    conversation: Conversation,
    content: list[dict[str, Any]],
    stop_reason: str | None,
    usage: Mapping[str, Any],
) -> dict[str, Any]:
    return {
        "id": stable_id("msg_", conversation),
        "type": "message",
        "role": "assistant",
        "model": conversation.model,
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": usage,
    }


def _parts(said: Answer) -> Iterator[str | ToolCall]:
    if said.text:
        yield said.text
    yield from said.tool_calls


def _block(part: str | ToolCall) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    """A block of content: empty, what fills it, and the deltas that do so in a stream."""
    if isinstance(part, str):
        deltas = [{"type": "text_delta", "text": piece} for piece in pieces(part)]
        return {"type": "text", "text": ""}, {"text": part}, deltas
    opening = {"type": "tool_use", "id": part.id, "name": part.name, "input": {}}
    deltas = [
        {"type": "input_json_delta", "partial_json": piece} for piece in pieces(part.arguments)
    ]
    return opening, {"input": json.loads(part.arguments)}, deltas


def _stream(conversation: Conversation, said: Answer, usage: Usage) -> Iterator[bytes]:
    """The events of https://docs.claude.com/en/docs/build-with-claude/streaming."""

    def event(kind: str, **data: Any) -> bytes:
        return server_sent_event({"type": kind, **data}, kind)

    # The first event has the counts of the prompt, and one token of the answer; the last has all.
    begun = _usage(usage) | {"output_tokens": 1}
    yield event("message_start", message=_message(conversation, [], None, begun))
    yield event("ping")
    for index, part in enumerate(_parts(said)):
        opening, _, deltas = _block(part)
        yield event("content_block_start", index=index, content_block=opening)
        for delta in deltas:
            yield event("content_block_delta", index=index, delta=delta)
        yield event("content_block_stop", index=index)
    yield event(
        "message_delta",
        delta={"stop_reason": _stop_reason(said), "stop_sequence": None},
        usage={"output_tokens": usage.completion},
    )
    yield event("message_stop")


def _stop_reason(said: Answer) -> str:
    return "tool_use" if said.tool_calls else "end_turn"


def _usage(usage: Usage) -> dict[str, Any]:
    """Cached tokens stand beside the input, and are not a part of it."""
    return {
        "input_tokens": usage.input,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation_input_tokens": 0,
        "output_tokens": usage.completion,
    }
