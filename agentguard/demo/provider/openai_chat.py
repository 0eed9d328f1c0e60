"""`POST /v1/chat/completions`: https://platform.openai.com/docs/api-reference/chat."""

import time
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
        return Reply(_completion(conversation, said, usage), usage=usage)
    with_usage = bool((body.get("stream_options") or {}).get("include_usage"))
    return Reply(events=_stream(conversation, said, usage, with_usage=with_usage), usage=usage)


def _conversation(body: Mapping[str, Any]) -> Conversation:
    messages = required(body, "messages", list)
    if not messages:
        raise ProtocolError(
            HTTPStatus.BAD_REQUEST, "[] is too short - 'messages'", param="messages"
        )
    return Conversation(
        model=required(body, "model", str),
        messages=tuple(_message(m) for m in messages),
        tools=tool_names(body.get("tools")),
    )


def _message(raw: Mapping[str, Any]) -> Message:
    calls = tuple(
        ToolCall(c["id"], c["function"]["name"], c["function"]["arguments"])
        for c in raw.get("tool_calls") or ()
    )
    role = str(raw.get("role", "user"))
    return Message("system" if role == "developer" else role, text_of(raw.get("content")), calls)


def _head(conversation: Conversation, kind: str) -> dict[str, Any]:
    return {
        "id": stable_id("chatcmpl-", conversation),
        "object": kind,
        "created": int(time.time()),
        "model": conversation.model,
        "service_tier": "default",
        "system_fingerprint": "fp_local",
    }


def _completion(conversation: Conversation, said: Answer, usage: Usage) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": said.text or None, "refusal": None}
    if said.tool_calls:
        message["tool_calls"] = [_tool_call(c) for c in said.tool_calls]
    choice = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _finish_reason(said),
    }
    return _head(conversation, "chat.completion") | {"choices": [choice], "usage": _usage(usage)}


def _stream(
    conversation: Conversation, said: Answer, usage: Usage, *, with_usage: bool
) -> Iterator[bytes]:
    head = _head(conversation, "chat.completion.chunk")
    # With include_usage every chunk but the last carries a null usage, and the last no choices.
    filler = {"usage": None} if with_usage else {}

    def chunk(delta: Mapping[str, Any], finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
        return server_sent_event(head | {"choices": [choice]} | filler)

    yield chunk({"role": "assistant", "content": "" if said.text else None, "refusal": None})
    for piece in pieces(said.text):
        yield chunk({"content": piece})
    for index, call in enumerate(said.tool_calls):
        opening = _tool_call(ToolCall(call.id, call.name, ""))
        yield chunk({"tool_calls": [{"index": index} | opening]})
        for piece in pieces(call.arguments):
            yield chunk({"tool_calls": [{"index": index, "function": {"arguments": piece}}]})
    yield chunk({}, _finish_reason(said))
    if with_usage:
        yield server_sent_event(head | {"choices": [], "usage": _usage(usage)})
    yield b"data: [DONE]\n\n"


def _tool_call(call: ToolCall) -> dict[str, Any]:
    function = {"name": call.name, "arguments": call.arguments}
    return {"id": call.id, "type": "function", "function": function}


def _finish_reason(said: Answer) -> str:
    return "tool_calls" if said.tool_calls else "stop"


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
        "prompt_tokens_details": {"cached_tokens": usage.cache_read, "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
