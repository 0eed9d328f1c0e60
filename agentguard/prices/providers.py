"""Provider names, as OpenTelemetry, OpenInference, Traceloop and frameworks spell them."""

from __future__ import annotations

from typing import Final

# gen_ai.provider.name (and the older gen_ai.system) from the OpenTelemetry GenAI registry,
# https://opentelemetry.io/docs/specs/semconv/registry/attributes/gen-ai/; llm.provider and
# llm.system from OpenInference; the class names that Traceloop reports; LangChain's ls_provider.
# A name that is here goes before genai-prices' own reading of it, which takes
# `azure.ai.openai` for OpenAI.
ALIASES: Final[dict[str, tuple[str, ...]]] = {
    "anthropic": ("anthropic", "claude"),
    "aws": ("aws", "aws.bedrock", "aws_bedrock", "bedrock", "bedrock_converse", "amazon_bedrock"),
    "azure": (
        "azure",
        "azure.ai.inference",
        "azure.ai.openai",
        "az.ai.inference",
        "az.ai.openai",
        "azure_openai",
        "azure_ai",
        "azure-openai",
        "azureopenai",
    ),
    "cerebras": ("cerebras",),
    "cohere": ("cohere", "cohere_chat"),
    "databricks": ("databricks",),
    "deepseek": ("deepseek",),
    "fireworks": ("fireworks", "fireworks_ai", "fireworks-ai"),
    "github-copilot": ("github-copilot", "github_copilot"),
    "google": (
        "google",
        "gcp.gemini",
        "gcp.gen_ai",
        "gcp.vertex_ai",
        "gemini",
        "google_genai",
        "google_generative_ai",
        "google_vertexai",
        "google-gla",
        "google-vertex",
        "vertex_ai",
        "vertexai",
    ),
    "groq": ("groq",),
    "mistral": ("mistral", "mistral_ai", "mistralai"),
    "moonshotai": ("moonshotai", "moonshot_ai", "moonshot"),
    "openai": ("openai",),
    "openrouter": ("openrouter",),
    "perplexity": ("perplexity", "perplexityai", "perplexity_ai"),
    "together": ("together", "together_ai", "together-ai", "togetherai"),
    "voyageai": ("voyageai", "voyage"),
    "x-ai": ("x-ai", "x_ai", "xai", "grok"),
    "zhipuai": ("zhipuai", "zhipu", "zhipu_ai"),
}
"""genai-prices' provider id to the lower-case names that mean it."""

NOT_PROVIDERS: Final = (
    "",
    "_other",
    "autogen",
    "crewai",
    "haystack",
    "langchain",
    "langgraph",
    "litellm",
    "llamaindex",
    "llama_index",
    "other",
    "unknown",
)
"""Proxies and frameworks that some instrumentations report as the provider: the model decides."""
