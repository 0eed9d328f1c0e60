"""The span of a model call, and what LangChain tells of the call and of its answer."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from agentguard import semconv
from agentguard.content import to_text
from agentguard.guards.enforcement import proceed
from agentguard.guards.place import expect_request
from agentguard.prices.model import Usage
from agentguard.runtime import runtime
from agentguard.span_scope import present
from agentguard.spans import ChatSpan

__all__ = ["ModelSpan", "model_scope", "record_sent"]

# LangChain's names of providers (`ls_provider`), where the conventions' are others.
_PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "amazon_bedrock": "aws.bedrock",
    "bedrock": "aws.bedrock",
    "google_genai": "gcp.gemini",
    "google_vertexai": "gcp.vertex_ai",
    "mistral": "mistral_ai",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
}


class ModelSpan(ChatSpan):
    """`chat {model}`; what the model's client tells at its own edge comes before LangChain's."""

    __slots__ = ()

    def started(self) -> None:
        """The next request to a model is this call's."""
        if self._call is not None:
            expect_request(self._call)

    def arrived(self, text: str) -> None:
        """A piece of the answer is there. Raises `Refused` where the answer has to end here."""
        call = self._call
        if call is None or call.attempts:
            return
        if call.first_chunk is None:
            call.first_chunk = time.monotonic()
        call.streamed_chars += len(text)
        proceed(call)

    def answered(self, result: Any) -> None:
        """Take in an `LLMResult`, where no client told of the answer."""
        call = self._call
        if call is None or call.answered or not result.generations or not result.generations[0]:
            return
        generation = result.generations[0][0]
        message = getattr(generation, "message", None)
        said = getattr(message, "response_metadata", None) or {}
        info = generation.generation_info or {}
        output = result.llm_output or {}
        if call.usage is None:
            call.usage = _usage(getattr(message, "usage_metadata", None), output)
        model = said.get("model_name") or said.get("model") or output.get("model_name")
        if isinstance(model, str) and model:
            call.model = model
        reason = info.get("finish_reason") or said.get("finish_reason") or said.get("stop_reason")
        if isinstance(reason, str):
            call.finish_reasons = (reason,)
        asked = getattr(message, "tool_calls", None) or ()
        call.tool_call_ids = tuple(each.get("id") for each in asked)
        call.output = {
            "text": str(generation.text or ""),
            "tool_calls": [{"name": each["name"], "arguments": each["args"]} for each in asked],
        }


def model_scope(
    serialized: Mapping[str, Any] | None,
    sent: Sequence[Any],
    *,
    metadata: Mapping[str, Any],
    parameters: Mapping[str, Any],
) -> ModelSpan:
    """The scope of a call; `sent` are LangChain's messages, or one text."""
    model = (
        metadata.get("ls_model_name")
        or parameters.get("model")
        or parameters.get("model_name")
        or _class_name(serialized)
    )
    provider = str(metadata.get("ls_provider") or parameters.get("_type") or "unknown")
    attributes = {
        semconv.OPERATION_NAME: semconv.CHAT,
        semconv.PROVIDER_NAME: _PROVIDERS.get(provider, provider),
        semconv.REQUEST_MODEL: str(model),
        semconv.REQUEST_TEMPERATURE: _number(metadata.get("ls_temperature")),
        semconv.REQUEST_TOP_P: _number(parameters.get("top_p")),
        semconv.REQUEST_MAX_TOKENS: _number(metadata.get("ls_max_tokens")),
        semconv.REQUEST_STREAM: True if parameters.get("stream") is True else None,
    }
    scope = ModelSpan(f"{semconv.CHAT} {model}", present(attributes))
    scope.given = lambda: _in_openai_form(sent)
    return scope


def record_sent(scope: ModelSpan, sent: Sequence[Any], parameters: Mapping[str, Any]) -> None:
    """Record messages and tools, where content is captured."""
    if not runtime.capture_content:
        return
    scope.record_messages(input=_in_openai_form(sent))
    tools = parameters.get("tools")
    if tools:
        text = to_text(tools, limit=runtime.max_content_length)
        scope.span.set_attribute(semconv.TOOL_DEFINITIONS, text)


def _in_openai_form(sent: Sequence[Any]) -> list[Any]:
    """The messages as OpenAI's clients send them: guards compare them with what they see there."""
    if isinstance(sent, str):
        return [{"role": "user", "content": sent}]
    from langchain_core.messages import convert_to_openai_messages

    try:
        return list(convert_to_openai_messages(list(sent)))
    except Exception:  # noqa: BLE001 - the boundary: content of any provider's form
        return [{"role": each.type, "content": each.content} for each in sent]


def _class_name(serialized: Mapping[str, Any] | None) -> str:
    said = serialized or {}
    path = said.get("id")
    return str(said.get("name") or (path[-1] if path else "unknown"))


def _usage(said: Any, output: Mapping[str, Any]) -> Usage | None:
    """The disjoint counts; LangChain's `usage_metadata` counts as the conventions do.

    Source: `langchain_core.messages.ai.UsageMetadata`. None for an answer from LangChain's cache,
    which it marks as free.
    """
    if not isinstance(said, Mapping):
        counts = output.get("token_usage") or {}
        read, thought = _count(counts, "cached_tokens"), 0
        sent, told = _count(counts, "prompt_tokens"), _count(counts, "completion_tokens")
        return Usage(input=sent - read, cache_read=read, output=told) if sent or told else None
    if said.get("total_cost") == 0:
        return None
    inside, outside = said.get("input_token_details"), said.get("output_token_details")
    read, written = _count(inside, "cache_read"), _written(inside)
    thought = _count(outside, "reasoning")
    return Usage(
        input=max(_count(said, "input_tokens") - read - written, 0),
        cache_read=read,
        cache_write=written,
        output=max(_count(said, "output_tokens") - thought, 0),
        reasoning=thought,
    )


def _written(details: Any) -> int:
    # Anthropic's are told apart by how long they are kept.
    kept = sum(_count(details, f"ephemeral_{span}_input_tokens") for span in ("5m", "1h"))
    return _count(details, "cache_creation") or kept


def _count(counts: Any, name: str) -> int:
    found = counts.get(name) if isinstance(counts, Mapping) else None
    return found if isinstance(found, int) and found > 0 else 0


def _number(value: Any) -> float | int | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None
