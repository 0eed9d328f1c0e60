"""Tasks, and the agents that do them inside of crews."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

from agentguard.errors import RunStopped
from agentguard.runtime import runtime
from agentguard.span_scope import SpanScope
from agentguard_integrations.crewai.names import agent_scope, task_scope
from agentguard_integrations.crewai.stopping import abort, follow, join_entry, latched
from agentguard_integrations.instrumentor import quietly

__all__ = ["execute_async", "execute_task", "execute_task_async", "failed", "task", "task_async"]

Args = tuple[Any, ...]
Named = dict[str, Any]

_at_work: ContextVar[tuple[Any, Any] | None] = ContextVar("agentguard-crewai-agent", default=None)
"""The agent and the task that this code is part of."""


def task(wrapped: Callable[..., Any], instance: Any, args: Args, kwargs: Named) -> Any:
    """`Task._execute_core(agent, context, tools)`, in whatever thread the task runs."""
    agent = args[0] if args else kwargs.get("agent")
    with task_scope(instance, agent) as span:
        _describe(span, instance, args[1] if len(args) > 1 else kwargs.get("context"))
        return _told(span, wrapped(*args, **kwargs))


async def task_async(
    wrapped: Callable[..., Awaitable[Any]], instance: Any, args: Args, kwargs: Named
) -> Any:
    """`Task._aexecute_core`: the same in a coroutine."""
    join_entry()
    agent = args[0] if args else kwargs.get("agent")
    with task_scope(instance, agent) as span:
        _describe(span, instance, args[1] if len(args) > 1 else kwargs.get("context"))
        return _told(span, await wrapped(*args, **kwargs))


def execute_async(wrapped: Callable[..., Any], instance: Any, args: Args, kwargs: Named) -> Any:
    """`Task.execute_async`, which begins a thread and returns the future of its result."""
    future = wrapped(*args, **kwargs)
    follow(future)
    return future


def execute_task(wrapped: Callable[..., Any], agent: Any, args: Args, kwargs: Named) -> Any:
    """`Agent.execute_task(task, context, tools)`: called by a crew, and by who delegates.

    An agent that fails calls it again from inside, which is the same work.
    """
    work = args[0] if args else kwargs.get("task")
    if _is_at_work(agent, work):
        return wrapped(*args, **kwargs)
    with _working(agent, work) as span:
        _describe(span, work, args[1] if len(args) > 1 else kwargs.get("context"))
        return _told(span, wrapped(*args, **kwargs))


async def execute_task_async(
    wrapped: Callable[..., Awaitable[Any]], agent: Any, args: Args, kwargs: Named
) -> Any:
    """`Agent.aexecute_task`: the same in a coroutine."""
    work = args[0] if args else kwargs.get("task")
    if _is_at_work(agent, work):
        return await wrapped(*args, **kwargs)
    with _working(agent, work) as span:
        _describe(span, work, args[1] if len(args) > 1 else kwargs.get("context"))
        return _told(span, await wrapped(*args, **kwargs))


def failed(wrapped: Callable[..., Any], agent: Any, args: Args, kwargs: Named) -> Any:
    """`Agent._check_execution_error(error, task)`, which decides to try again."""
    stop = latched()
    if stop is not None:
        raise abort(stop) from None
    return wrapped(*args, **kwargs)


def _is_at_work(agent: Any, work: Any) -> bool:
    here = _at_work.get()
    return here is not None and here[0] is agent and here[1] is work


@contextmanager
def _working(agent: Any, work: Any) -> Iterator[SpanScope]:
    token = _at_work.set((agent, work))
    try:
        with agent_scope(agent) as span:
            yield span
    except RunStopped as refused:
        # Nothing around it shall try again, or tell another agent about it.
        if refused.stop is None:
            raise
        raise abort(refused.stop) from None
    finally:
        _at_work.reset(token)


def _describe(span: SpanScope, work: Any, context: Any) -> None:
    if runtime.capture_content:
        with quietly("recording a task"):
            asked = {
                "description": getattr(work, "description", None),
                "expected_output": getattr(work, "expected_output", None),
                "context": context,
            }
            span.record_input({key: value for key, value in asked.items() if value})


def _told(span: SpanScope, result: Any) -> Any:
    with quietly("recording a result"):
        span.returned(getattr(result, "raw", result))
    return result
