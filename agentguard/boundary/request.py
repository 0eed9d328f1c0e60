"""What a request to a model asks, read from the options of its client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from agentguard.guards.call import Kind

__all__ = ["Asked", "asked_by", "kind_asked"]

# The paths under which models are called, by the last words of the URL. Those of other things, such
# as the messages of OpenAI's threads or Anthropic's token counts, end differently.
_ENDPOINTS: Final[Mapping[str, Mapping[str, Kind]]] = {
    "openai": {
        "/chat/completions": "llm",
        "/completions": "llm",
        "/responses": "llm",
        "/embeddings": "embedding",
    },
    "anthropic": {"/v1/messages": "llm", "/v1/complete": "llm"},
}

# Who sells what the client of somebody else reaches, by the end of the host's name.
_SELLERS: Final = {
    "openrouter.ai": "openrouter",
    "api.deepseek.com": "deepseek",
    "api.groq.com": "groq",
    "api.mistral.ai": "mistral_ai",
    "api.together.xyz": "together",
    "api.fireworks.ai": "fireworks",
    "api.x.ai": "x_ai",
    "api.perplexity.ai": "perplexity",
    "generativelanguage.googleapis.com": "gcp.gemini",
}

_MOST_TOKENS: Final = (
    "max_completion_tokens",
    "max_tokens",
    "max_output_tokens",
    "max_tokens_to_sample",
)


class Asked(NamedTuple):
    """What `Call` takes; `content` is a list of messages, or text. `body` is the whole of it.

    It is sent to `host`, at `port` where the address says one.
    """

    kind: Kind
    provider: str
    model: str | None
    max_tokens: int | None
    content: object
    body: Mapping[str, Any]
    host: str
    port: int | None


def kind_asked(library: str, options: Any) -> Kind | None:
    """What kind of model the request is sent to; None for any other request."""
    if options.method != "post" and str(options.method).lower() != "post":
        return None
    endpoints = _ENDPOINTS[library]
    # The clients' own methods ask for just these; the rest may be a whole URL.
    found = endpoints.get(options.url)
    if found is not None:
        return found
    path = urlsplit(str(options.url)).path.rstrip("/")
    for ending, kind in endpoints.items():
        if path.endswith(ending):
            return kind
    return None


def asked_by(library: str, kind: Kind, client: Any, options: Any) -> Asked:
    """What the request asks of a model of that kind."""
    body = options.json_data if isinstance(options.json_data, Mapping) else {}
    model = body.get("model")
    address = getattr(client, "base_url", None)
    host = getattr(address, "host", None) or ""
    return Asked(
        kind,
        _provider(library, client, host),
        str(model) if model is not None else None,
        _most(body),
        _content(body),
        body,
        host,
        getattr(address, "port", None),
    )


def _provider(library: str, client: Any, host: str) -> str:
    """The seller, by the conventions' names (`gen_ai.provider.name`)."""
    kind = type(client).__name__
    if "Azure" in kind:
        return "azure.ai.openai"
    if "Bedrock" in kind:
        return "aws.bedrock"
    if "Vertex" in kind:
        return "gcp.vertex_ai"
    domain = host
    while domain:
        seller = _SELLERS.get(domain)
        if seller is not None:
            return seller
        domain = domain.partition(".")[2]
    return library


def _most(body: Mapping[str, Any]) -> int | None:
    for name in _MOST_TOKENS:
        most = body.get(name)
        if isinstance(most, int):
            choices = body.get("n")
            return most * choices if isinstance(choices, int) and choices > 1 else most
    return None


def _content(body: Mapping[str, Any]) -> object:
    sent = body.get("messages", body.get("input", body.get("prompt")))
    system = body.get("system", body.get("instructions"))
    if not system:
        return sent
    first = [{"role": "system", "content": system}]
    return first + (sent if isinstance(sent, list) else [{"role": "user", "content": sent}])
