"""What a model's answer adds to the span of its call, by the GenAI conventions."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import TYPE_CHECKING

from agentguard import semconv
from agentguard.content import to_messages
from agentguard.runtime import runtime

if TYPE_CHECKING:
    from opentelemetry.util.types import AttributeValue

    from agentguard.guards.call import Call

__all__ = ["answer_attributes"]


def answer_attributes(call: Call) -> dict[str, AttributeValue]:
    """The attributes for what is known of the answer when the call ends.

    The conventions count cached tokens into the input and reasoning into the output. Messages are
    there only where content is captured.
    """
    said: dict[str, AttributeValue] = {}
    if call.model:
        said[semconv.RESPONSE_MODEL] = call.model
    if call.response_id:
        said[semconv.RESPONSE_ID] = call.response_id
    if call.finish_reasons:
        said[semconv.RESPONSE_FINISH_REASONS] = call.finish_reasons
    if call.first_chunk is not None:
        said[semconv.RESPONSE_TIME_TO_FIRST_CHUNK] = call.first_chunk - call.started
    usage = call.usage
    if usage is not None:
        said[semconv.USAGE_INPUT_TOKENS] = usage.input + usage.cache_read + usage.cache_write
        if call.kind == "llm":
            said[semconv.USAGE_OUTPUT_TOKENS] = usage.output + usage.reasoning
        if usage.cache_read:
            said[semconv.USAGE_CACHE_READ_INPUT_TOKENS] = usage.cache_read
        if usage.cache_write:
            said[semconv.USAGE_CACHE_WRITE_INPUT_TOKENS] = usage.cache_write
        if usage.reasoning:
            said[semconv.USAGE_REASONING_OUTPUT_TOKENS] = usage.reasoning
    if runtime.capture_content and isinstance(call.output, Mapping):
        said[semconv.OUTPUT_MESSAGES] = _messages(call, call.output)
    return said


def _messages(call: Call, output: Mapping[str, object]) -> str:
    asked = output.get("tool_calls")
    tools = [
        {"type": "function", "id": given, **tool}
        for given, tool in zip_longest(call.tool_call_ids, asked if isinstance(asked, list) else [])
        if tool is not None
    ]
    message: dict[str, object] = {
        "role": "assistant",
        "content": output.get("text") or None,
        "tool_calls": tools,
        **({"finish_reason": call.finish_reasons[0]} if call.finish_reasons else {}),
    }
    return to_messages(message, "assistant", runtime.max_content_length)
