"""Tools: those that a model calls by its own means, and those that it writes about in text."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from agentguard_integrations.crewai.execution import Execution, call_id

__all__ = ["invoke", "invoke_async", "named_call", "run", "run_async", "use", "use_async"]

Args = tuple[Any, ...]
Named = dict[str, Any]


class _Written:
    """A call that a model wrote about in text: `execution`, once it was made."""

    __slots__ = ("execution",)

    def __init__(self) -> None:
        self.execution: Execution | None = None


_written: ContextVar[_Written | None] = ContextVar("agentguard-crewai-written", default=None)


def named_call(wrapped: Callable[..., Any], instance: Any, args: Args, kwargs: Named) -> Any:
    """`_execute_single_native_tool_call` of an executor, which knows the id of the call."""
    given = kwargs.get("call_id") or _id_of(args[0] if args else kwargs.get("tool_call"))
    token = call_id.set(given)
    try:
        return wrapped(*args, **kwargs)
    finally:
        call_id.reset(token)


def run(wrapped: Callable[..., Any], tool: Any, args: Args, kwargs: Named) -> Any:
    """`BaseTool.run(**arguments)`, which is what a model calls."""
    with _executing(tool, _arguments(args, kwargs)) as execution:
        return execution.told(wrapped(*args, **kwargs))


async def run_async(
    wrapped: Callable[..., Awaitable[Any]], tool: Any, args: Args, kwargs: Named
) -> Any:
    """`BaseTool.arun(**arguments)`."""
    with _executing(tool, _arguments(args, kwargs)) as execution:
        return execution.told(await wrapped(*args, **kwargs))


def use(wrapped: Callable[..., Any], usage: Any, args: Args, kwargs: Named) -> Any:
    """`ToolUsage.use(calling, text)`: one call of the model's.

    A tool that fails is invoked up to six times for it: attempts, and no loop of the model's.
    """
    if _written.get() is not None:
        return wrapped(*args, **kwargs)
    with _writing():
        return wrapped(*args, **kwargs)


async def use_async(
    wrapped: Callable[..., Awaitable[Any]], usage: Any, args: Args, kwargs: Named
) -> Any:
    """`ToolUsage.ause(calling, text)`."""
    if _written.get() is not None:
        return await wrapped(*args, **kwargs)
    with _writing():
        return await wrapped(*args, **kwargs)


def invoke(wrapped: Callable[..., Any], tool: Any, args: Args, kwargs: Named) -> Any:
    """`CrewStructuredTool.invoke(input)`: one attempt."""
    with _executing(tool, args[0] if args else kwargs.get("input")) as execution:
        return execution.told(wrapped(*args, **kwargs))


async def invoke_async(
    wrapped: Callable[..., Awaitable[Any]], tool: Any, args: Args, kwargs: Named
) -> Any:
    """`CrewStructuredTool.ainvoke(input)`.

    It hands functions to a thread without the context they are called in, which a delegated
    agent's spans and guards would be missing from.
    """
    if not inspect.iscoroutinefunction(tool.func):
        return await asyncio.to_thread(tool.invoke, *args, **kwargs)
    with _executing(tool, args[0] if args else kwargs.get("input")) as execution:
        return execution.told(await wrapped(*args, **kwargs))


@contextmanager
def _writing() -> Iterator[None]:
    written = _Written()
    token = _written.set(written)
    try:
        yield
    finally:
        _written.reset(token)
        if written.execution is not None:
            written.execution.end()


@contextmanager
def _executing(tool: Any, arguments: Any) -> Iterator[Execution]:
    """One attempt of a call, which is all of it but where the model wrote about it in text."""
    written = _written.get()
    execution = written.execution if written is not None else None
    if execution is None:
        execution = Execution(tool, arguments)
        if written is not None:
            written.execution = execution
    token = _written.set(None)
    try:
        with execution:
            yield execution
    finally:
        _written.reset(token)
        if written is None:
            execution.end()


def _arguments(args: Args, kwargs: Named) -> Any:
    return kwargs if not args else {"args": list(args), **kwargs}


def _id_of(call: Any) -> str | None:
    """The id in a provider's tool call: an object of OpenAI's or Anthropic's, or a mapping."""
    try:
        found = call.get("id") if isinstance(call, dict) else getattr(call, "id", None)
    except Exception:  # noqa: BLE001 - the boundary: somebody's object
        return None
    return str(found) if found else None
