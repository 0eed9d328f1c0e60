"""The four methods of the client that all requests go through, plain and streamed, sync and async.

The client tries again inside of them, so that retries are part of one call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from typing import Any

from agentguard.runtime import runtime
from agentguard.spans import chat_span, embeddings_span
from agentguard_integrations.google_genai.answer import (
    Answer,
    compared_in,
    messages_in,
    model_in,
    most_tokens,
)
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.model_call import ModelCall, is_inside_model_call, time_left
from agentguard_integrations.patches import Patches

__all__ = ["patch"]

Args = tuple[Any, ...]
Named = dict[str, Any]


def patch(module: Any, patches: Patches) -> None:
    """Wrap the methods of `google.genai._api_client.BaseApiClient`."""
    client = module.BaseApiClient
    patches.wrap(client, "request", _request)
    patches.wrap(client, "async_request", _request_async)
    patches.wrap(client, "request_streamed", _stream)
    patches.wrap(client, "async_request_streamed", _stream_async)
    patches.wrap(client, "_build_request", _limited)


def _request(wrapped: Callable[..., Any], client: Any, args: Args, kwargs: Named) -> Any:
    call = _begin(client, args, kwargs)
    if call is None:
        return wrapped(*args, **kwargs)
    return call.run(partial(wrapped, *args, **kwargs))


async def _request_async(
    wrapped: Callable[..., Coroutine[Any, Any, Any]], client: Any, args: Args, kwargs: Named
) -> Any:
    call = _begin(client, args, kwargs)
    if call is None:
        return await wrapped(*args, **kwargs)
    return await call.run_async(partial(wrapped, *args, **kwargs))


def _stream(
    wrapped: Callable[..., Iterator[Any]], client: Any, args: Args, kwargs: Named
) -> Iterator[Any]:
    # The request is sent when the first piece is asked for, and not before.
    call = _begin(client, args, kwargs)
    if call is None:
        yield from wrapped(*args, **kwargs)
        return
    yield from call.stream(wrapped(*args, **kwargs))


async def _stream_async(
    wrapped: Callable[..., Coroutine[Any, Any, AsyncIterator[Any]]],
    client: Any,
    args: Args,
    kwargs: Named,
) -> AsyncIterator[Any]:
    call = _begin(client, args, kwargs)
    if call is None:
        return await wrapped(*args, **kwargs)
    return call.stream_async(await call.send_async(partial(wrapped, *args, **kwargs)))


def _begin(client: Any, args: Args, kwargs: Named) -> ModelCall | None:
    """The call; None for other requests."""
    if is_inside_model_call():
        return None
    path, body = _asked(*args, **kwargs)
    asked = model_in(str(path))
    if asked is None or not isinstance(body, dict):
        return None
    kind, model = asked
    provider = "gcp.vertex_ai" if getattr(client, "vertexai", False) else "gcp.gemini"
    if kind == "llm":
        scope: Any = chat_span(model, provider=provider, max_tokens=most_tokens(body))
        scope.given = lambda: compared_in(body)
    else:
        scope = embeddings_span(model, provider=provider)
        scope.given = lambda: body
    call = ModelCall(scope, lambda _: Answer())
    if runtime.capture_content and kind == "llm":
        with quietly("Recording a request"):
            scope.record_messages(input=messages_in(body))
    return call


def _asked(
    http_method: object = None, path: object = "", request_dict: object = None, *_: Any, **__: Any
) -> tuple[object, object]:
    """Where the request goes, and what is sent; by the client's own names."""
    return path, request_dict


def _limited(wrapped: Callable[..., Any], client: Any, args: Args, kwargs: Named) -> Any:
    """What is sent for a model call waits at most for what is left of its run's time."""
    request = wrapped(*args, **kwargs)
    left = time_left()
    if left is not None:
        with quietly("Limiting a request's time"):
            request.timeout = min(request.timeout or left, left)
    return request
