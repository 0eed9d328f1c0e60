"""The span of a call to a model by one of CrewAI's own classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from opentelemetry.util.types import AttributeValue

from agentguard import semconv
from agentguard.runtime import runtime
from agentguard.span_scope import present
from agentguard.spans import ChatSpan
from agentguard_integrations.instrumentor import quietly

__all__ = ["ModelSpan", "model_span"]

# `gen_ai.provider.name` for what CrewAI calls providers.
_SELLERS: Final = {
    "azure": "azure.ai.inference",
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "aws": "aws.bedrock",
    "gemini": "gcp.gemini",
    "google": "gcp.gemini",
    "vertex": "gcp.vertex_ai",
    "vertex_ai": "gcp.vertex_ai",
}


class ModelSpan(ChatSpan):
    """`chat {model}` around a call whose client may or may not be one that we know.

    Where it is one, that client's edge says what the call used, and what is told here is dropped.
    """

    __slots__ = ("_messages", "_tools", "_usage")

    def __init__(
        self, name: str, attributes: Mapping[str, AttributeValue], messages: Any, tools: Any
    ) -> None:
        super().__init__(name, attributes)
        self._messages = messages
        self._tools = tools
        self._usage: list[Any] = []
        self.given = lambda: messages

    def asked(self) -> None:
        """Record what is sent, when content is captured."""
        if not runtime.capture_content:
            return
        with quietly("recording messages"):
            self.record_messages(input=self._messages)
            if self._tools:
                self._record(semconv.TOOL_DEFINITIONS, self._tools)

    def used(self, usage: Any) -> None:
        """A request of the call used these tokens, in its provider's words."""
        self._usage.append(usage)

    def answered(self, result: Any) -> None:
        """Record what came back, unless the client's edge knows it better."""
        call = self._call
        if call is not None and call.answered:
            return
        with quietly("recording an answer"):
            self._add_usage()
            asked = _tools_asked(result)
            said = {"text": "", "tool_calls": asked} if asked else result
            if call is not None:
                call.output = said if asked or isinstance(said, str) else str(said)
            if runtime.capture_content:
                self.record_messages(
                    output={
                        "role": "assistant",
                        "tool_calls": [{"type": "function", **each} for each in asked],
                    }
                    if asked
                    else str(result)
                )

    def _add_usage(self) -> None:
        from crewai.types.usage_metrics import UsageMetrics  # type: ignore[import-not-found]

        read = [UsageMetrics.from_provider_dict(usage) for usage in self._usage]
        known = [usage for usage in read if usage is not None]
        if known:
            self.record_usage(
                input_tokens=sum(u.prompt_tokens for u in known),
                output_tokens=sum(u.completion_tokens for u in known),
                cache_read=sum(u.cached_prompt_tokens for u in known) or None,
                cache_write=sum(u.cache_creation_tokens for u in known) or None,
                reasoning=sum(u.reasoning_tokens for u in known) or None,
            )


def model_span(model: Any, messages: Any, options: Mapping[str, Any]) -> ModelSpan:
    """The span of a call of the model with these messages, text or a list."""
    name = str(getattr(model, "model", None) or type(model).__name__)
    provider = str(getattr(model, "provider", None) or "crewai")
    most = getattr(model, "max_tokens", None)
    described = {
        semconv.OPERATION_NAME: semconv.CHAT,
        semconv.PROVIDER_NAME: _SELLERS.get(provider, provider),
        semconv.REQUEST_MODEL: name,
        semconv.REQUEST_TEMPERATURE: getattr(model, "temperature", None),
        semconv.REQUEST_TOP_P: getattr(model, "top_p", None),
        semconv.REQUEST_MAX_TOKENS: int(most) if isinstance(most, (int, float)) else None,
    }
    return ModelSpan(f"{semconv.CHAT} {name}", present(described), messages, options.get("tools"))


def _tools_asked(result: Any) -> list[dict[str, Any]]:
    """The tool calls in an answer, where it is made of them."""
    if not isinstance(result, list) or not result:
        return []
    from crewai.utilities.agent_utils import (  # type: ignore[import-not-found]
        extract_tool_call_info,
    )

    found = [extract_tool_call_info(each) for each in result]
    return [{"id": given[0], "name": given[1], "arguments": given[2]} for given in found if given]
