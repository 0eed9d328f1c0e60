"""Models of the SDK that speak to a provider by other ways than the `openai` client.

Those that use the client are traced and guarded at its edge.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Final

from agentguard.guards.place import current_place
from agentguard.runtime import runtime
from agentguard.spans import ChatSpan, chat_span
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.patches import Patches

__all__ = ["patch"]

_BY_THE_CLIENT: Final = "agents.models.openai_"


def patch(module: Any, patches: Patches) -> None:
    """Wrap the models that there are, and those that will be defined."""
    base = module.Model
    for kind in _below(base):
        _patch_model(kind, patches)

    def init_subclass(kind: Any, /, **options: Any) -> None:
        super(base, kind).__init_subclass__(**options)
        with quietly("Wrapping a model"):
            _patch_model(kind, patches)

    patches.replace(base, "__init_subclass__", classmethod(init_subclass))


def _below(kind: type) -> Iterator[type]:
    below: list[type] = kind.__subclasses__()
    for each in below:
        yield each
        yield from _below(each)


def _patch_model(kind: type, patches: Patches) -> None:
    if kind.__module__.startswith(_BY_THE_CLIENT):
        return
    if "get_response" in vars(kind):
        patches.wrap(kind, "get_response", _respond)
    if "stream_response" in vars(kind):
        patches.wrap(kind, "stream_response", _stream)


async def _respond(
    wrapped: Callable[..., Coroutine[Any, Any, Any]], model: Any, args: Any, kwargs: Any
) -> Any:
    if _is_inside():
        return await wrapped(*args, **kwargs)
    scope, given = _scope(model, args, kwargs)
    with scope:
        _record_request(scope, given)
        response = await wrapped(*args, **kwargs)
        with quietly("Reading a response"):
            _record(scope, response)
        return response


def _stream(
    wrapped: Callable[..., AsyncIterator[Any]], model: Any, args: Any, kwargs: Any
) -> AsyncIterator[Any]:
    if _is_inside():
        return wrapped(*args, **kwargs)
    return _events(wrapped, model, args, kwargs)


async def _events(
    wrapped: Callable[..., AsyncIterator[Any]], model: Any, args: Any, kwargs: Any
) -> AsyncIterator[Any]:
    scope, given = _scope(model, args, kwargs)
    with scope:
        _record_request(scope, given)
        is_first = True
        async for event in wrapped(*args, **kwargs):
            if is_first:
                scope.record_first_chunk()
                is_first = False
            if getattr(event, "type", "") == "response.completed":
                with quietly("Reading a response"):
                    _record(scope, event.response)
            yield event


def _is_inside() -> bool:
    """Whether a model of theirs calls another: that one is part of the same call."""
    place = current_place()
    call = place.call if place else None
    return call is not None and call.is_model_call and call.outcome == "open"


def _scope(model: Any, args: Any, kwargs: Any) -> tuple[ChatSpan, dict[str, Any]]:
    named = getattr(model, "model", None)
    name = named if isinstance(named, str) and named else type(model).__name__
    provider, slash, _ = name.partition("/")
    scope = chat_span(name, provider=provider if slash else type(model).__module__.split(".")[0])
    given = dict(zip(("system_instructions", "input"), args, strict=False)) | kwargs
    scope.given = lambda: given.get("input")
    return scope, given


def _record_request(scope: ChatSpan, given: dict[str, Any]) -> None:
    if runtime.capture_content:
        scope.record_messages(input=given.get("input"), system=given.get("system_instructions"))


def _record(scope: ChatSpan, response: Any) -> None:
    usage = getattr(response, "usage", None)
    if usage is None:
        return
    cached = getattr(getattr(usage, "input_tokens_details", None), "cached_tokens", None)
    thought = getattr(getattr(usage, "output_tokens_details", None), "reasoning_tokens", None)
    scope.record_usage(
        input_tokens=usage.input_tokens,
        output_tokens=usage.output_tokens,
        cache_read=cached,
        reasoning=thought,
    )
    if runtime.capture_content:
        scope.record_messages(output=response.output)
