"""`POST /v1/responses`: https://platform.openai.com/docs/api-reference/responses."""

import time
from collections.abc import Iterator, Mapping
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
from agentguard.demo.provider.openai_request import required, text_of, tool_names
from agentguard.demo.provider.reply import Reply, pieces, server_sent_event

__all__ = ["answer"]


def answer(body: Mapping[str, Any], responder: Responder) -> Reply:
    """Answers one request, streamed when it asks for `stream`."""
    conversation = _conversation(body)
    said = responder(conversation)
    usage = measure(conversation, said)
    response = _response(conversation, body, said, usage)
    if body.get("stream"):
        return Reply(events=_stream(response), usage=usage)
    return Reply(response, usage=usage)


def _conversation(body: Mapping[str, Any]) -> Conversation:
    given = required(body, "input", (str, list))
    items = [{"role": "user", "content": given}] if isinstance(given, str) else given
    messages = [_message(i) for i in items]
    if instructions := body.get("instructions"):
        messages.insert(0, Message("system", str(instructions)))
    return Conversation(
        model=required(body, "model", str),
        messages=tuple(messages),
        tools=tool_names(body.get("tools")),
    )


def _message(item: Mapping[str, Any]) -> Message:
    match item.get("type"):
        case "function_call":
            call = ToolCall(item["call_id"], item["name"], item["arguments"])
            return Message("assistant", "", (call,))
        case "function_call_output":
            return Message("tool", text_of(item.get("output")))
        case _:
            return Message(str(item.get("role", "user")), text_of(item.get("content")))


def _response(
    conversation: Conversation, body: Mapping[str, Any], said: Answer, usage: Usage
) -> dict[str, Any]:
    items: list[dict[str, Any]] = [
        {
            "type": "function_call",
            "id": call.id.replace("call_", "fc_"),
            "call_id": call.id,
            "name": call.name,
            "arguments": call.arguments,
            "status": "completed",
        }
        for call in said.tool_calls
    ]
    if said.text:
        part = {"type": "output_text", "text": said.text, "annotations": [], "logprobs": []}
        message = {"type": "message", "id": stable_id("msg_", conversation), "role": "assistant"}
        items.append(message | {"status": "completed", "content": [part]})
    return {
        "id": stable_id("resp_", conversation),
        "object": "response",
        "created_at": int(time.time()),
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": body.get("metadata") or {},
        "model": conversation.model,
        "output": items,
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": body.get("tools") or [],
        "top_p": 1.0,
        "usage": _usage(usage),
    }


def _stream(response: Mapping[str, Any]) -> Iterator[bytes]:
    pending = dict(response, status="in_progress", output=[], usage=None)
    events: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": pending}),
        ("response.in_progress", {"response": pending}),
    ]
    for index, item in enumerate(response["output"]):
        events += _item_events(index, item)
    events.append(("response.completed", {"response": response}))
    for number, (name, data) in enumerate(events):
        yield server_sent_event({"type": name, "sequence_number": number} | data, name)


def _item_events(index: int, item: Mapping[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    place = {"item_id": item["id"], "output_index": index}
    is_call = item["type"] == "function_call"
    empty: dict[str, Any] = {"arguments": ""} if is_call else {"content": []}
    opening = dict(item, status="in_progress") | empty
    yield "response.output_item.added", {"output_index": index, "item": opening}
    if is_call:
        for piece in pieces(item["arguments"]):
            yield "response.function_call_arguments.delta", place | {"delta": piece}
        done = place | {"arguments": item["arguments"], "name": item["name"]}
        yield "response.function_call_arguments.done", done
    else:
        yield from _text_events(place | {"content_index": 0}, item["content"][0])
    yield "response.output_item.done", {"output_index": index, "item": item}


def _text_events(
    place: Mapping[str, Any], part: Mapping[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    where = dict(place)
    yield "response.content_part.added", where | {"part": dict(part, text="")}
    for piece in pieces(part["text"]):
        yield "response.output_text.delta", where | {"delta": piece, "logprobs": []}
    yield "response.output_text.done", where | {"text": part["text"], "logprobs": []}
    yield "response.content_part.done", where | {"part": part}


def _usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.prompt,
        "input_tokens_details": {"cached_tokens": usage.cache_read, "cache_write_tokens": 0},
        "output_tokens": usage.completion,
        "output_tokens_details": {"reasoning_tokens": usage.reasoning},
        "total_tokens": usage.prompt + usage.completion,
    }
