"""LiteLLM's functions, each call of which is one model call, its retries included."""

from __future__ import annotations

import logging
from collections.abc import Callable, Coroutine
from functools import lru_cache, partial
from typing import Any, Final

from agentguard.guards.call import Kind
from agentguard.runtime import runtime
from agentguard.span_scope import SpanScope
from agentguard.spans import chat_span, embeddings_span
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.litellm.answer import Answer, Pieces
from agentguard_integrations.litellm.streams import hold
from agentguard_integrations.model_call import ModelCall, is_inside_model_call
from agentguard_integrations.patches import Patches

__all__ = ["patch"]

log = logging.getLogger("agentguard")

_DEFAULT_S: Final = 600
"""What LiteLLM gives a request, in seconds, where nothing says otherwise."""
# What each function is, and the argument that holds what the model is sent.
_FUNCTIONS: Final[dict[str, tuple[Kind, str]]] = {
    "completion": ("llm", "messages"),
    "text_completion": ("llm", "prompt"),
    "responses": ("llm", "input"),
    "embedding": ("embedding", "input"),
}
# LiteLLM's names of providers, where the conventions' are others.
_PROVIDERS: Final = {
    "azure": "azure.ai.openai",
    "azure_ai": "azure.ai.inference",
    "bedrock": "aws.bedrock",
    "gemini": "gcp.gemini",
    "mistral": "mistral_ai",
    "vertex_ai": "gcp.vertex_ai",
    "watsonx": "ibm.watsonx.ai",
    "xai": "x_ai",
}


def patch(module: Any, patches: Patches) -> None:
    """Wrap the functions of `litellm`, and the same ones where `litellm.main` has them."""
    for name, what in _FUNCTIONS.items():
        for owner in (module, getattr(module, "main", None)):
            if owner is not None and hasattr(owner, name):
                patches.wrap(owner, name, partial(_call, what))
            if owner is not None and hasattr(owner, f"a{name}"):
                patches.wrap(owner, f"a{name}", partial(_call_async, what))


def _call(
    what: tuple[Kind, str], wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: Any
) -> Any:
    if is_inside_model_call():
        return wrapped(*args, **kwargs)
    call = _begin(*what, args, kwargs)
    return _landed(call, call.send(partial(wrapped, *args, **_limited(kwargs, call))))


async def _call_async(
    what: tuple[Kind, str],
    wrapped: Callable[..., Coroutine[Any, Any, Any]],
    _: Any,
    args: tuple[Any, ...],
    kwargs: Any,
) -> Any:
    if is_inside_model_call():
        return await wrapped(*args, **kwargs)
    call = _begin(*what, args, kwargs)
    return _landed(call, await call.send_async(partial(wrapped, *args, **kwargs)))


def _landed(call: ModelCall, answer: Any) -> Any:
    return answer if hold(answer, call) else call.answered(answer)


def _begin(kind: Kind, sent_as: str, args: tuple[Any, ...], kwargs: dict[str, Any]) -> ModelCall:
    sent = kwargs.get(sent_as, args[1] if len(args) > 1 else None)
    model, provider = _seller(str(kwargs.get("model", args[0] if args else "")), kwargs)
    most = kwargs.get("max_completion_tokens") or kwargs.get("max_tokens")
    if kind == "embedding":
        scope: SpanScope = embeddings_span(model, provider=provider)
    else:
        scope = chat_span(
            model,
            provider=provider,
            temperature=kwargs.get("temperature"),
            max_tokens=most if isinstance(most, int) else None,
        )
    scope.given = lambda: sent
    call = ModelCall(scope, Pieces if kwargs.get("stream") else lambda _: Answer())
    if runtime.capture_content:
        with quietly("Recording a request"):
            scope.record_input(sent)
    return call


def _seller(model: str, kwargs: dict[str, Any]) -> tuple[str, str]:
    """The model's own name, and who sells it, by the conventions' names."""
    provider = kwargs.get("custom_llm_provider")
    try:
        model, found = _resolved(model, provider, kwargs.get("api_base"))
        provider = provider or found
    except Exception:
        log.debug("LiteLLM does not know whose model %s is", model, exc_info=True)
    named = str(provider or "unknown")
    return model, _PROVIDERS.get(named, named)


@lru_cache(256)
def _resolved(model: str, provider: str | None, api_base: str | None) -> tuple[str, str]:
    """What LiteLLM makes of the name, which takes it as long as a span; not kept where it fails."""
    from litellm import get_llm_provider  # type: ignore[import-not-found]  # installed here

    found = get_llm_provider(model, custom_llm_provider=provider, api_base=api_base)
    return found[0], found[1]


def _limited(kwargs: dict[str, Any], call: ModelCall) -> dict[str, Any]:
    """The arguments, with a time-out of no more than what is left of the run's time."""
    left, own = call.time_left, kwargs.get("timeout")
    if left is None or not (own is None or isinstance(own, int | float)):
        return kwargs
    if own is None and (left >= _DEFAULT_S or left >= _shortest_timeout(kwargs)):
        return kwargs
    return {**kwargs, "timeout": left if own is None else min(own, left)}


def _shortest_timeout(kwargs: dict[str, Any]) -> float:
    """The shortest of the seconds that LiteLLM may give a request that says none."""
    import litellm

    said = kwargs.get("request_timeout"), getattr(litellm, "request_timeout", None), _DEFAULT_S
    return min(each for each in said if isinstance(each, int | float))
