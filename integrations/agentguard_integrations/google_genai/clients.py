"""The four methods of the client that all requests go through, plain and streamed, sync and async.

The client tries again inside of them, so that retries are part of one call.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import partial
from importlib import import_module
from typing import Any

from agentguard.runtime import runtime
from agentguard.spans import chat_span, embeddings_span
from agentguard_integrations.google_genai.answer import Answer, messages_in, model_in, most_tokens
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.model_call import ModelCall, is_inside_model_call
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


def _request(wrapped: Callable[..., Any], client: Any, args: Args, kwargs: Named) -> Any:
    begun = _begin(client, args, kwargs)
    if begun is None:
        return wrapped(*args, **kwargs)
    call, args = begun
    return call.run(partial(wrapped, *args, **kwargs))


async def _request_async(
    wrapped: Callable[..., Coroutine[Any, Any, Any]], client: Any, args: Args, kwargs: Named
) -> Any:
    begun = _begin(client, args, kwargs)
    if begun is None:
        return await wrapped(*args, **kwargs)
    call, args = begun
    return await call.run_async(partial(wrapped, *args, **kwargs))


def _stream(
    wrapped: Callable[..., Iterator[Any]], client: Any, args: Args, kwargs: Named
) -> Iterator[Any]:
    # The request is sent when the first piece is asked for, and not before.
    begun = _begin(client, args, kwargs)
    if begun is None:
        yield from wrapped(*args, **kwargs)
        return
    call, args = begun
    yield from call.stream(wrapped(*args, **kwargs))


async def _stream_async(
    wrapped: Callable[..., Coroutine[Any, Any, AsyncIterator[Any]]],
    client: Any,
    args: Args,
    kwargs: Named,
) -> AsyncIterator[Any]:
    begun = _begin(client, args, kwargs)
    if begun is None:
        return await wrapped(*args, **kwargs)
    call, args = begun
    return call.stream_async(await call.send_async(partial(wrapped, *args, **kwargs)))


def _begin(client: Any, args: Args, kwargs: Named) -> tuple[ModelCall, Args] | None:
    """The call, and the arguments with what is left of the run's time; None for other requests."""
    if is_inside_model_call():
        return None
    given = dict(zip(("method", "path", "request_dict", "http_options"), args, strict=False))
    given |= kwargs
    asked = model_in(str(given.get("path", "")))
    body = given.get("request_dict")
    if asked is None or not isinstance(body, dict):
        return None
    kind, model = asked
    provider = "gcp.vertex_ai" if getattr(client, "vertexai", False) else "gcp.gemini"
    if kind == "llm":
        scope: Any = chat_span(model, provider=provider, max_tokens=most_tokens(body))
        scope.given = lambda: messages_in(body)
    else:
        scope = embeddings_span(model, provider=provider)
        scope.given = lambda: body
    call = ModelCall(scope, lambda _: Answer())
    with quietly("Recording a request"):
        if runtime.capture_content and kind == "llm":
            scope.record_messages(input=messages_in(body))
    left = call.time_left
    if left is None:
        return call, args
    with quietly("Limiting a request's time"):
        limited = _limited(given.get("http_options"), left)
        if len(args) > 3:
            args = (*args[:3], limited, *args[4:])
        else:
            kwargs["http_options"] = limited
    return call, args


def _limited(options: Any, left: float) -> Any:
    """The options of a request, whose time-out in milliseconds is at most what is left."""
    HttpOptions = import_module("google.genai.types").HttpOptions  # noqa: N806 - a class
    if options is None:
        return HttpOptions(timeout=max(1, round(left * 1000)))
    known = options if isinstance(options, HttpOptions) else HttpOptions(**options)
    most = max(1, round(left * 1000))
    return known.model_copy(update={"timeout": min(known.timeout or most, most)})
