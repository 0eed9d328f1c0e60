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


_DESTINATION: Final = "_agentguard_destination"


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
    _, provider, host, port = _destination(library, client)
    return Asked(
        kind,
        provider,
        str(model) if model is not None else None,
        _most(body),
        _content(body),
        body,
        host,
        port,
    )


def _destination(library: str, client: Any) -> tuple[object, str, str, int | None]:
    """The client's address, and who that is: found once, as long as the address is the same."""
    address = getattr(client, "base_url", None)
    known: tuple[object, str, str, int | None] | None = vars(client).get(_DESTINATION)
    if known is not None and known[0] is address:
        return known
    host = getattr(address, "host", None) or ""
    found = address, _provider(library, client, host), host, getattr(address, "port", None)
    vars(client)[_DESTINATION] = found
    return found


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
