"""Streamed answers: each piece is looked at where LiteLLM hands it on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any, Final

from agentguard_integrations.model_call import ModelCall
from agentguard_integrations.patches import Patches

__all__ = ["hold", "patch"]

_HELD: Final = "_agentguard_call"


_NAMES: Final = (
    "CustomStreamWrapper",
    "ResponsesAPIStreamingIterator",
    "SyncResponsesAPIStreamingIterator",
)


def patch(module: Any, patches: Patches) -> None:
    """Follow the iterators that the streams of LiteLLM are: their types stay what they are."""
    for kind in (vars(module).get(name) for name in _NAMES):
        if kind is None:
            continue
        if "__next__" in vars(kind):
            patches.wrap(kind, "__next__", _next)
        if "__anext__" in vars(kind):
            patches.wrap(kind, "__anext__", _next_async)


def hold(stream: Any, call: ModelCall) -> bool:
    """Let the stream end the call; False for what is no stream that is followed."""
    if not any(kind.__name__ in _NAMES for kind in type(stream).__mro__):
        return False
    setattr(stream, _HELD, call)
    return True


def _next(wrapped: Callable[[], Any], stream: Any, args: Any, kwargs: Any) -> Any:
    call: ModelCall | None = getattr(stream, _HELD, None)
    return wrapped() if call is None else call.next(wrapped)


async def _next_async(
    wrapped: Callable[[], Awaitable[Any]], stream: Any, args: Any, kwargs: Any
) -> Any:
    call: ModelCall | None = getattr(stream, _HELD, None)
    return await (wrapped() if call is None else call.next_async(wrapped))
