"""A call of an embedding model: one request of texts, however many they are."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from opentelemetry.context import Context, attach, detach

from agentguard.answer_attributes import answer_attributes
from agentguard.cancellation import CancelOnStop
from agentguard.errors import Refused
from agentguard.guards.place import current_place
from agentguard.runtime import runtime
from agentguard.span_attributes import add_attributes
from agentguard.spans import EmbeddingsSpan, embeddings_span
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.llamaindex.messages import model_name, provider_name
from agentguard_integrations.llamaindex.scopes import enclosing_call, enter, refused_here

__all__ = ["EMBEDDING_METHODS"]


def _begin(
    model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> tuple[EmbeddingsSpan, Context] | None:
    if enclosing_call("embedding") is not None:
        return None
    span: EmbeddingsSpan | None = None
    with quietly("Reading what an embedding model is asked"):
        span = embeddings_span(model_name(model), provider=provider_name(model))
    if span is None:
        return None
    try:
        context = enter(span)
    except Refused as reason:
        refused_here(reason)
        raise
    if context is None:
        return None
    if runtime.capture_content:
        with quietly("Recording what an embedding model is asked"):
            span.record_input(args[0] if args else next(iter(kwargs.values()), None))
    return span, context


def _end(span: EmbeddingsSpan, context: Context, error: BaseException | None = None) -> None:
    with quietly("Ending the span of an embedding"):
        place = current_place(context)
        if place is not None and place.call is not None and place.call.attempts:
            # What its client told, as a chat span does by itself.
            add_attributes(span.span, answer_attributes(place.call))
        span.close(error)


def _embed(
    wrapped: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    begun = _begin(model, args, kwargs)
    if begun is None:
        return wrapped(*args, **kwargs)
    span, context = begun
    token = attach(context)
    try:
        vectors = wrapped(*args, **kwargs)
    except BaseException as error:
        _end(span, context, error)
        raise
    finally:
        detach(token)
    _end(span, context)
    return vectors


async def _embed_async(
    wrapped: Callable[..., Any], model: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    begun = _begin(model, args, kwargs)
    if begun is None:
        return await wrapped(*args, **kwargs)
    span, context = begun
    token = attach(context)
    place = current_place(context)
    cancel = CancelOnStop(place.run) if place is not None else None
    try:
        vectors = await wrapped(*args, **kwargs)
    except BaseException as error:
        reason = cancel.disarm(error) if cancel is not None else None
        _end(span, context, reason or error)
        if reason is not None:
            raise reason from None
        raise
    finally:
        detach(token)
    if cancel is not None:
        cancel.disarm(None)
    _end(span, context)
    return vectors


EMBEDDING_METHODS = {
    "_get_query_embedding": _embed,
    "_get_text_embedding": _embed,
    "_get_text_embeddings": _embed,
    "_aget_query_embedding": _embed_async,
    "_aget_text_embedding": _embed_async,
    "_aget_text_embeddings": _embed_async,
}
