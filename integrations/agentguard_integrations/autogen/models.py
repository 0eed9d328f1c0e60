"""Model clients: a `chat {model}` span for those whose requests nobody else has a span for.

The clients of OpenAI and Anthropic send by `openai` and `anthropic`, whose edge makes the span and
asks the guards (`agentguard.boundary`). All others, and people's own, are traced and guarded here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Final

from agentguard.boundary.clients import is_guarded
from agentguard.errors import Refused
from agentguard.guards.call import Call
from agentguard.guards.enforcement import proceed
from agentguard.guards.place import current_place
from agentguard.runtime import runtime
from agentguard.spans import ChatSpan, chat_span
from agentguard_integrations.autogen.messages import said_by, sent
from agentguard_integrations.autogen.subclasses import wrap_in_all
from agentguard_integrations.autogen.work import Work, here, note
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.patches import Patches

__all__ = ["patch"]

_EXTENSIONS: Final = "autogen_ext.models."
_PROVIDERS: Final = {
    "anthropic": "anthropic",
    "azure": "azure.ai.inference",
    "ollama": "ollama",
    "openai": "openai",
}
"""The conventions' names, by the package of `autogen_ext.models`; others are called as they are."""

_TELL_USAGE: Final = frozenset({"api.openai.com", "localhost", "127.0.0.1", "::1"})


def patch(patches: Patches) -> None:
    """Wrap model clients of every class."""
    patches.on_import("autogen_core.models._model_client", partial(_clients, patches))
    patches.on_import("autogen_ext.models.openai._openai_client", partial(_streams, patches))


def _clients(patches: Patches, module: Any) -> None:
    wrappers = {"create": _create, "create_stream": _stream}
    wrap_in_all(patches, module.ChatCompletionClient, wrappers)


def _streams(patches: Patches, module: Any) -> None:
    patches.wrap(module.BaseOpenAIChatCompletionClient, "_create_stream_chunks", _chunks)


async def _create(
    wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    call = partial(wrapped, *args, **kwargs)
    if _is_traced(client):
        try:
            return await call()
        except Refused as refused:
            note(refused, here())
            raise
    work = _begin(client, args, kwargs)
    return await work.run(call, partial(_take_in, work))


async def _stream(
    wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    with quietly("asking for usage"):
        if _takes_usage(client, kwargs):
            kwargs = {**kwargs, "include_usage": True}
    items = wrapped(*args, **kwargs)
    if _is_traced(client):
        try:
            async for item in items:
                yield item
        except Refused as refused:
            note(refused, here())
            raise
        finally:
            await items.aclose()
        return
    work = _begin(client, args, kwargs)
    stream = work.stream(items, partial(_take_in_piece, work))
    try:
        async for item in stream:
            yield item
    finally:
        await stream.aclose()


async def _chunks(
    wrapped: Callable[..., Any], client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    """Close an answer that is not read to its end: AutoGen drops it, which ends it who knows when.

    It is a variable of AutoGen's generator, and nowhere else.
    """
    chunks = wrapped(*args, **kwargs)
    answer: Any = None
    try:
        async for chunk in chunks:
            yield chunk
    finally:
        with quietly("closing a streamed answer"):
            answer = chunks.ag_frame and chunks.ag_frame.f_locals.get("stream")
        await chunks.aclose()
        with quietly("closing a streamed answer"):
            if answer is not None:
                await answer.close()


def _takes_usage(client: Any, kwargs: Mapping[str, Any]) -> bool:
    """Whether to ask for the usage of a streamed answer, which is told only if asked for.

    Where the program says nothing of it, and of servers that are known to take the question:
    OpenAI's own, and those for local models. There are some that refuse it.
    """
    if _package(client) != "openai" or "include_usage" in kwargs:
        return False
    if "stream_options" in client._create_args or kwargs.get("extra_create_args"):
        return False
    return client._client.base_url.host in _TELL_USAGE


def _is_traced(client: Any) -> bool:
    """Whether somebody else makes the span: the edge, or a client around this one."""
    package = _package(client)
    if package == "cache" or (package in runtime.traced_clients and is_guarded(package)):
        return True
    place = current_place()
    call = None if place is None else place.call
    return call is not None and call.is_model_call and call.outcome == "open" and not call.answered


def _package(client: Any) -> str:
    """The package of `autogen_ext.models` that the client is of, or made from; or its own."""
    for cls in type(client).__mro__:
        if cls.__module__.startswith(_EXTENSIONS):
            return cls.__module__.removeprefix(_EXTENSIONS).partition(".")[0]
    return str(type(client).__module__).partition(".")[0]


def _begin(client: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Work:
    package = _package(client)
    asked = args[0] if args else kwargs.get("messages", ())
    scope = chat_span(_model(client), provider=_PROVIDERS.get(package, package))
    scope.given = partial(sent, asked)
    work = Work(client, scope)
    work.begin()
    if runtime.capture_content:
        with quietly("recording messages"):
            scope.record_input(sent(asked))
    return work


def _model(client: Any) -> str:
    given = getattr(client, "_create_args", None)
    named = given.get("model") if isinstance(given, Mapping) else None
    for name in (named, getattr(client, "_model_name", None), getattr(client, "model", None)):
        if isinstance(name, str) and name:
            return name
    return type(client).__name__


def _call(work: Work) -> Call | None:
    place = current_place(work.context)
    return None if place is None else place.call


def _take_in(work: Work, result: Any) -> None:
    """Record what the client says came back, where an edge has not told more of it."""
    call, scope = _call(work), work.scope
    if not isinstance(scope, ChatSpan) or (call is not None and call.attempts):
        return
    if not result.cached:
        used = result.usage
        scope.record_usage(input_tokens=used.prompt_tokens, output_tokens=used.completion_tokens)
    scope.record_response(finish_reasons=(str(result.finish_reason),))
    if call is not None:
        call.output, call.tool_call_ids = said_by(result)
        call.answered = True
    if runtime.capture_content:
        scope.record_output(sent([result]))


def _take_in_piece(work: Work, piece: Any) -> None:
    """The same of a streamed answer. Raises `Refused` where it has to end here."""
    if not isinstance(piece, str):
        _take_in(work, piece)
        return
    call = _call(work)
    if call is None or call.attempts:
        return
    if not call.streamed_chars and isinstance(work.scope, ChatSpan):
        work.scope.record_first_chunk()
    call.streamed_chars += len(piece)
    proceed(call)
