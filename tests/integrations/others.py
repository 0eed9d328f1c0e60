"""Instrumentors of other projects: where each project keeps that of each library."""

from __future__ import annotations

from importlib import import_module
from typing import Final

from opentelemetry.trace import TracerProvider

__all__ = ["OTHERS", "instrument_as"]

_MODULES: Final = {
    "genai": "opentelemetry.instrumentation.genai",
    "openinference": "openinference.instrumentation",
    "traceloop": "opentelemetry.instrumentation",
}
_NAMES: Final = {
    "openai": ("openai", "OpenAIInstrumentor"),
    "anthropic": ("anthropic", "AnthropicInstrumentor"),
    "google-genai": ("google_genai", "GoogleGenAIInstrumentor"),
    "mcp": ("mcp", "MCPInstrumentor"),
    "langchain": ("langchain", "LangChainInstrumentor"),
    "llamaindex": ("llamaindex", "LlamaIndexInstrumentor"),
    "litellm": ("litellm", "LiteLLMInstrumentor"),
    "openai-agents": ("openai_agents", "OpenAIAgentsInstrumentor"),
    "autogen": ("autogen_agentchat", "AutogenAgentChatInstrumentor"),
    "crewai": ("crewai", "CrewAIInstrumentor"),
}
_CALLED_OTHERWISE: Final = {
    ("genai", "google-genai"): (
        "opentelemetry.instrumentation.google_genai",
        "GoogleGenAiSdkInstrumentor",
    ),
    ("traceloop", "google-genai"): (
        "opentelemetry.instrumentation.google_generativeai",
        "GoogleGenerativeAiInstrumentor",
    ),
    ("traceloop", "mcp"): ("opentelemetry.instrumentation.mcp", "McpInstrumentor"),
    ("traceloop", "langchain"): (
        "opentelemetry.instrumentation.langchain",
        "LangchainInstrumentor",
    ),
    ("openinference", "llamaindex"): (
        "openinference.instrumentation.llama_index",
        "LlamaIndexInstrumentor",
    ),
}
OTHERS: Final = {
    "openai": ("genai", "openinference", "traceloop"),
    "anthropic": ("genai", "openinference", "traceloop"),
    "google-genai": ("genai", "openinference", "traceloop"),
    # OpenInference's carries the trace context, and makes no spans.
    "mcp": ("traceloop",),
    "langchain": ("genai", "openinference", "traceloop"),
    "llamaindex": ("openinference", "traceloop"),
    "litellm": ("openinference", "traceloop"),
    "openai-agents": ("genai", "openinference", "traceloop"),
    "autogen": ("openinference",),
    "crewai": ("openinference", "traceloop"),
}
"""Who has one: `genai` is OpenTelemetry's own."""


_ALSO: Final = {("genai", "openai-agents"): ("openai",)}
"""What else they need: OpenTelemetry's own leaves the model's calls to that of the client."""


def instrument_as(who: str, library: str, provider: TracerProvider | None = None) -> None:
    """Have theirs trace the library with that provider, by default the process's."""
    for each in (library, *_ALSO.get((who, library), ())):
        module, name = _NAMES[each]
        found = _CALLED_OTHERWISE.get((who, each), (f"{_MODULES[who]}.{module}", name))
        getattr(import_module(found[0]), found[1])().instrument(tracer_provider=provider)
