"""A call of an LLM, whichever client it speaks through, or none.

Guards are asked before it begins and told what came of it. A method of a model that calls another
one, as `CustomLLM.chat` calls `complete`, makes one call with it.
"""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from functools import partial
from typing import Any

from opentelemetry.context import Context, attach, detach

from agentguard import semconv
from agentguard.cancellation import CancelOnStop
from agentguard.content import to_text
from agentguard.errors import Refused
from agentguard.guards.enforcement import proceed
from agentguard.guards.place import current_place
from agentguard.runtime import runtime
from agentguard.spans import ChatSpan, chat_span
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.llamaindex.messages import asked, fill_in, model_name, provider_name
from agentguard_integrations.llamaindex.scopes import enclosing_call, enter, refused_here
from agentguard_integrations.llamaindex.streams import AsyncPieces, Pieces

__all__ = ["MODEL_METHODS", "ModelCall"]


class ModelCall:
    """One call under way; `context` is the one that what it does belongs to.

    Ends once, however it ends: with the method that makes it, or with the last piece of an answer.
    """

    def __init__(self, span: ChatSpan, context: Context) -> None:
        self.context = context
        place = current_place(context)
        self._call = place.call if place is not None else None
        self._span = span
        self._is_over = False

    @classmethod
    def begin(cls, llm: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ModelCall | None:
        """Start it; None where it cannot be traced. Raises `Refused` where a guard objects."""
        span: ChatSpan | None = None
        with quietly("Reading what a model is asked"):
            span = _span_of(llm, args, kwargs)
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
            with quietly("Recording what a model is asked"):
                span.record_messages(input=asked(args, kwargs))
                if kwargs.get("tools"):
                    limit = runtime.max_content_length
                    tools = to_text(kwargs["tools"], limit)
                    span.span.set_attribute(semconv.TOOL_DEFINITIONS, tools)
        return cls(span, context)

    def cancel_on_stop(self) -> CancelOnStop | None:
        """What cancels a wait for the model in time; None where its client does that."""
        call = self._call
        return CancelOnStop(call.run) if call is not None and not call.attempts else None

    def take(self, piece: Any) -> None:
        """A piece of the answer arrived. Raises `Refused` where the answer ends here."""
        call = self._call
        if call is None or call.attempts:
            return
        if call.first_chunk is None:
            call.first_chunk = time.monotonic()
        delta = getattr(piece, "delta", None)
        if isinstance(delta, str):
            call.streamed_chars += len(delta)
        proceed(call)

    def end(self, response: Any = None, error: BaseException | None = None) -> None:
        """It is over: with this answer, or with this error."""
        if self._is_over:
            return
        self._is_over = True
        if isinstance(error, Refused):
            refused_here(error)
        with quietly("Recording what a model said"):
            if self._call is not None and response is not None:
                fill_in(self._call, response)
        with quietly("Ending the span of a model call"):
            self._span.close(error)


def _span_of(llm: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> ChatSpan:
    span = chat_span(
        model_name(llm),
        provider=provider_name(llm),
        temperature=_number(kwargs.get("temperature", getattr(llm, "temperature", None))),
        max_tokens=_whole(kwargs.get("max_tokens", getattr(llm, "max_tokens", None))),
    )
    span.given = partial(asked, args, kwargs)
    return span


def _with_usage(llm: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """What a streamed answer is asked for with: OpenAI says what it cost only where it has to.

    Not asked of others that are spoken to as OpenAI is, nor where the program says what it wants.
    """
    with quietly("Asking for the usage of a stream"):
        theirs = [b for b in type(llm).__mro__ if b.__module__.startswith("llama_index.llms.")]
        named = (theirs[0].__module__, theirs[0].__name__) if theirs else None
        said = {**(getattr(llm, "additional_kwargs", None) or {}), **kwargs}
        if named == ("llama_index.llms.openai.base", "OpenAI") and "stream_options" not in said:
            return {**kwargs, "stream_options": {"include_usage": True}}
    return kwargs


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _call(
    wrapped: Callable[..., Any], llm: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    outer = enclosing_call("llm")
    if outer is not None:
        response = wrapped(*args, **kwargs)
        outer.answered = True
        return response
    model = ModelCall.begin(llm, args, kwargs)
    if model is None:
        return wrapped(*args, **kwargs)
    token = attach(model.context)
    try:
        response = wrapped(*args, **kwargs)
    except BaseException as error:
        model.end(error=error)
        raise
    finally:
        detach(token)
    model.end(response)
    return response


async def _call_async(
    wrapped: Callable[..., Any], llm: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    outer = enclosing_call("llm")
    if outer is not None:
        response = await wrapped(*args, **kwargs)
        outer.answered = True
        return response
    model = ModelCall.begin(llm, args, kwargs)
    if model is None:
        return await wrapped(*args, **kwargs)
    response = await _awaited(model, wrapped, args, kwargs)
    model.end(response)
    return response


async def _awaited(
    model: ModelCall, wrapped: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """What the method gives, or the reason why it was stopped."""
    token = attach(model.context)
    cancel = model.cancel_on_stop()
    try:
        answer = await wrapped(*args, **kwargs)
    except BaseException as error:
        reason = cancel.disarm(error) if cancel is not None else None
        model.end(error=reason or error)
        if reason is not None:
            raise reason from None
        raise
    finally:
        detach(token)
    if cancel is not None:
        cancel.disarm(None)
    return answer


def _stream(
    wrapped: Callable[..., Any], llm: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    model = None if enclosing_call("llm") is not None else ModelCall.begin(llm, args, kwargs)
    if model is None:
        return wrapped(*args, **kwargs)
    token = attach(model.context)
    try:
        pieces = wrapped(*args, **_with_usage(llm, kwargs))
    except BaseException as error:
        model.end(error=error)
        raise
    finally:
        detach(token)
    if not isinstance(pieces, Iterator):
        model.end(pieces)
        return pieces
    return Pieces(pieces, model)


async def _stream_async(
    wrapped: Callable[..., Any], llm: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    model = None if enclosing_call("llm") is not None else ModelCall.begin(llm, args, kwargs)
    if model is None:
        return await wrapped(*args, **kwargs)
    pieces = await _awaited(model, wrapped, args, _with_usage(llm, kwargs))
    if not isinstance(pieces, AsyncIterator):
        model.end(pieces)
        return pieces
    return AsyncPieces(pieces, model)


MODEL_METHODS = {
    "chat": _call,
    "complete": _call,
    "achat": _call_async,
    "acomplete": _call_async,
    "stream_chat": _stream,
    "stream_complete": _stream,
    "astream_chat": _stream_async,
    "astream_complete": _stream_async,
}
