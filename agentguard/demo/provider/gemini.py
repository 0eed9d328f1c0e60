"""`POST /v1/models/{model}:{method}`: https://ai.google.dev/api/generate-content."""

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
    count_tokens,
    measure,
    stable_id,
)
from agentguard.demo.provider.errors import ProtocolError
from agentguard.demo.provider.openai_request import required, text_of
from agentguard.demo.provider.reply import Reply, pieces, server_sent_event

__all__ = ["PREFIXES", "answer", "model_of"]

PREFIXES = ("/v1/models/", "/v1beta/models/")
_ROLES = {"model": "assistant", "user": "user", "function": "tool"}
_DIMENSIONS = 64


def model_of(path: str) -> str:
    """The model that the path names; empty for a path of somebody else's."""
    return path.partition("/models/")[2].partition(":")[0] if path.startswith(PREFIXES) else ""


def answer(path: str, body: Mapping[str, Any], responder: Responder) -> Reply:
    """Answers one request, by the method that its path ends in."""
    method = path.rpartition(":")[2]
    if method == "batchEmbedContents":
        return _embeddings(body)
    if method not in ("generateContent", "streamGenerateContent"):
        raise ProtocolError(HTTPStatus.NOT_FOUND, f"Unknown method: {method}.")
    conversation = _conversation(model_of(path), body)
    said = responder(conversation)
    usage = measure(conversation, said)
    if method == "streamGenerateContent":
        return Reply(events=_stream(conversation, said, usage), usage=usage)
    whole = _piece(conversation, _parts(said)) | {"usageMetadata": _usage(usage)}
    whole["candidates"][0]["finishReason"] = "STOP"
    return Reply(whole, usage=usage)


def _conversation(model: str, body: Mapping[str, Any]) -> Conversation:
    system = text_of((body.get("systemInstruction") or {}).get("parts"))
    first = (Message("system", system),) if system else ()
    turns = required(body, "contents", list)
    tools = (each for tool in body.get("tools") or () for each in tool["functionDeclarations"])
    return Conversation(
        model=model,
        messages=(*first, *(message for turn in turns for message in _messages(turn))),
        tools=tuple(tool["name"] for tool in tools),
    )


def _messages(turn: Mapping[str, Any]) -> Iterator[Message]:
    parts = turn.get("parts") or ()
    for part in parts:
        if "functionResponse" in part:
            yield Message("tool", json.dumps(part["functionResponse"].get("response")))
    calls = tuple(
        ToolCall("", part["functionCall"]["name"], json.dumps(part["functionCall"].get("args")))
        for part in parts
        if "functionCall" in part
    )
    text = text_of(list(parts))
    if text or calls:
        yield Message(_ROLES.get(str(turn.get("role", "user")), "user"), text, calls)


def _parts(said: Answer) -> list[dict[str, Any]]:
    texts = [{"text": said.text}] if said.text else []
    asked = [
        {"functionCall": {"id": call.id, "name": call.name, "args": json.loads(call.arguments)}}
        for call in said.tool_calls
    ]
    return [*texts, *asked]


def _piece(conversation: Conversation, parts: list[dict[str, Any]]) -> dict[str, Any]:
    content = {"role": "model", "parts": parts}
    return {
        "candidates": [{"content": content, "index": 0}],
        "modelVersion": conversation.model,
        "responseId": stable_id("", conversation),
    }


def _stream(conversation: Conversation, said: Answer, usage: Usage) -> Iterator[bytes]:
    for text in pieces(said.text):
        yield server_sent_event(_piece(conversation, [{"text": text}]))
    last = _piece(conversation, _parts(Answer(tool_calls=said.tool_calls)))
    last["candidates"][0]["finishReason"] = "STOP"
    yield server_sent_event(last | {"usageMetadata": _usage(usage)})


def _usage(usage: Usage) -> dict[str, Any]:
    """Cached tokens are a part of the prompt; thoughts stand beside the answer."""
    return {
        "promptTokenCount": usage.prompt,
        "cachedContentTokenCount": usage.cache_read,
        "candidatesTokenCount": usage.output,
        "thoughtsTokenCount": usage.reasoning,
        "totalTokenCount": usage.prompt + usage.completion,
    }


def _embeddings(body: Mapping[str, Any]) -> Reply:
    texts = [text_of(each["content"]["parts"]) for each in required(body, "requests", list)]
    vectors = [{"values": [len(text) / 100.0] * _DIMENSIONS} for text in texts]
    # Gemini does not say how many tokens an embedding took.
    return Reply({"embeddings": vectors}, usage=Usage(input=sum(map(count_tokens, texts))))
