"""What reaches the caller when a guard has stopped a run: the guard's own exception."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Coroutine
from typing import Any

from agentguard.errors import RunStopped
from agentguard_integrations.patches import Patches
from agentguard_integrations.refusals import refusal_in

__all__ = ["patch", "patch_streams"]


def patch(module: Any, patches: Patches) -> None:
    """Wrap `AgentRunner.run`, which `Runner.run` and `run_sync` go through."""
    patches.wrap(module.AgentRunner, "run", _run)


def patch_streams(module: Any, patches: Patches) -> None:
    """Wrap what `run_streamed` gives back."""
    patches.wrap(module.RunResultStreaming, "stream_events", _stream)


async def _run(
    wrapped: Callable[..., Coroutine[Any, Any, Any]], _: Any, args: Any, kwargs: Any
) -> Any:
    try:
        return await wrapped(*args, **kwargs)
    except Exception as error:
        _raise_refusal(error)
        raise


def _stream(
    wrapped: Callable[..., AsyncGenerator[Any, None]], _: Any, args: Any, kwargs: Any
) -> AsyncGenerator[Any, None]:
    return _events(wrapped(*args, **kwargs))


async def _events(events: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    try:
        async for event in events:
            yield event
    except Exception as error:
        _raise_refusal(error)
        raise
    finally:
        await events.aclose()


def _raise_refusal(error: Exception) -> None:
    """The SDK wraps what a tool raises in an error of its own."""
    refused = refusal_in(error)
    if refused is not error and isinstance(refused, RunStopped):
        raise refused from None
