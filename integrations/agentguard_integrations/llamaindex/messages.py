"""What is said to a model and by it, and what it is called, read from LlamaIndex's own types.

Messages are given as OpenAI's chat completions write them, which guards and spans both read.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from agentguard.boundary.answer import usage_in
from agentguard.guards.call import Call

__all__ = ["asked", "fill_in", "model_name", "provider_name", "text_of"]

# By the package that a class is from: `llama_index.llms.<package>`. What is not listed is called
# as its package is.
_PROVIDERS: Final = {
    "openai_like": "openai",
    "azure_openai": "azure.ai.openai",
    "azure_inference": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "vertex": "gcp.vertex_ai",
    "google_genai": "gcp.gemini",
    "gemini": "gcp.gemini",
    "mistralai": "mistral_ai",
    "ibm": "ibm.watsonx.ai",
}


def provider_name(model: object) -> str:
    """The seller, by the conventions' names (`gen_ai.provider.name`); `custom` where unknown."""
    for base in type(model).__mro__:
        parts = base.__module__.split(".")
        if parts[0] == "llama_index" and len(parts) > 2 and parts[1] in ("llms", "embeddings"):
            return _PROVIDERS.get(parts[2], parts[2])
    return "custom"


def model_name(model: Any) -> str:
    """The name of the model; that of its class for one that has none."""
    for named in (
        getattr(model, "model", None),
        getattr(model, "model_name", None),
        getattr(getattr(model, "metadata", None), "model_name", None),
    ):
        if isinstance(named, str) and named not in ("", "unknown"):
            return named
    return type(model).__name__


def asked(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[object]:
    """The messages of a `chat`, or the prompt of a `complete` as a user's message."""
    sent = args[0] if args else kwargs.get("messages", kwargs.get("prompt"))
    if sent is None or isinstance(sent, str):
        return [{"role": "user", "content": sent or ""}]
    return [_message(each) for each in sent]


def fill_in(call: Call, response: Any) -> None:
    """Write on the call what a model said, where no client has told it already."""
    message = getattr(response, "message", None)
    if call.output is None:
        if message is None:
            call.output = {"text": getattr(response, "text", None) or "", "tool_calls": []}
        else:
            tools = list(_tool_calls(message))
            call.tool_call_ids = tuple(tool["id"] for tool in tools)
            said = [{"name": tool["name"], "arguments": tool["arguments"]} for tool in tools]
            call.output = {"text": text_of(message) or "", "tool_calls": said}
    if call.usage is None:
        counts = getattr(response, "additional_kwargs", None) or {}
        call.usage = usage_in(getattr(response, "raw", None) or {})
        if call.usage is None and "prompt_tokens" in counts:
            call.usage = usage_in({"usage": counts})


def text_of(message: Any) -> str | None:
    """The words of a message or a response, without pictures and tool calls."""
    content = getattr(message, "content", message)
    return content if isinstance(content, str) else None


def _message(message: Any) -> object:
    role = getattr(message, "role", None)
    said: dict[str, object] = {
        "role": str(getattr(role, "value", role) or "user"),
        "content": text_of(message),
    }
    tools = [{"type": "function", **tool} for tool in _tool_calls(message)]
    if tools:
        said["tool_calls"] = tools
    more = getattr(message, "additional_kwargs", None) or {}
    if "tool_call_id" in more:
        said["tool_call_id"] = more["tool_call_id"]
    return said


def _tool_calls(message: Any) -> Iterable[dict[str, Any]]:
    """The tools that a message asks for: as blocks, or as the client's own objects."""
    blocks = [b for b in getattr(message, "blocks", None) or () if hasattr(b, "tool_kwargs")]
    for block in blocks:
        yield {"id": block.tool_call_id, "name": block.tool_name, "arguments": block.tool_kwargs}
    if blocks:
        return
    for asks in (getattr(message, "additional_kwargs", None) or {}).get("tool_calls") or ():
        function = _get(asks, "function") or asks
        name = _get(function, "name") or _get(function, "tool_name")
        arguments = _get(function, "arguments") or _get(function, "tool_kwargs")
        yield {"id": _get(asks, "id"), "name": name, "arguments": arguments}


def _get(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else getattr(value, name, None)
