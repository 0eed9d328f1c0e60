"""The ways into CrewAI: crews, flows, and agents on their own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from agentguard.runtime import runtime
from agentguard.span_scope import SpanScope
from agentguard.spans import task_span
from agentguard_integrations.crewai.names import agent_scope, crew_scope, flow_scope
from agentguard_integrations.crewai.stopping import Entry, join_entry
from agentguard_integrations.instrumentor import quietly

__all__ = [
    "agent",
    "agent_async",
    "akickoff",
    "flow",
    "flow_method",
    "for_each",
    "for_each_async",
    "kickoff",
    "kickoff_async",
    "lite_agent",
]

Args = tuple[Any, ...]
Named = dict[str, Any]
Function = Callable[..., Any]
Coroutine = Callable[..., Awaitable[Any]]


def kickoff(wrapped: Function, crew: Any, args: Args, kwargs: Named) -> Any:
    """`Crew.kickoff`, and `replay`. With `stream` it calls itself, without, from another thread."""
    if getattr(crew, "stream", False):
        return wrapped(*args, **kwargs)
    return _enter(crew_scope(crew), wrapped, args, kwargs)


async def akickoff(wrapped: Coroutine, crew: Any, args: Args, kwargs: Named) -> Any:
    """`Crew.akickoff`, which is like `kickoff`, in tasks."""
    join_entry()
    if getattr(crew, "stream", False):
        return await wrapped(*args, **kwargs)
    return await _enter_async(crew_scope(crew), wrapped, args, kwargs)


async def kickoff_async(wrapped: Coroutine, crew: Any, args: Args, kwargs: Named) -> Any:
    """`Crew.kickoff_async`, which calls `kickoff` in a thread."""
    join_entry()
    return await wrapped(*args, **kwargs)


def for_each(wrapped: Function, crew: Any, args: Args, kwargs: Named) -> Any:
    """`Crew.kickoff_for_each`: crew after crew, in one trace."""
    return _enter(crew_scope(crew, " for each"), wrapped, args, kwargs)


async def for_each_async(wrapped: Coroutine, crew: Any, args: Args, kwargs: Named) -> Any:
    """`Crew.kickoff_for_each_async` and `akickoff_for_each`: all at once, in one trace."""
    return await _enter_async(crew_scope(crew, " for each"), wrapped, args, kwargs)


async def flow(wrapped: Coroutine, instance: Any, args: Args, kwargs: Named) -> Any:
    """`Flow.kickoff_async`, which all ways in go through. CrewAI's own flows are no users'."""
    if _is_internal(instance) or getattr(instance, "stream", False):
        return await wrapped(*args, **kwargs)
    return await _enter_async(flow_scope(instance), wrapped, args, kwargs, insists=False)


async def flow_method(wrapped: Coroutine, instance: Any, args: Args, kwargs: Named) -> Any:
    """`Flow._execute_method(name, method, ...)`: one step of a flow."""
    if _is_internal(instance):
        return await wrapped(*args, **kwargs)
    join_entry()
    name = args[0] if args else kwargs.get("method_name", "step")
    with task_span(str(name)) as span:
        with quietly("recording what a step was given"):
            span.record_input({"args": args[2:]} if len(args) > 2 else {})
        result = await wrapped(*args, **kwargs)
        with quietly("recording what a step gave back"):
            span.returned(result[0] if isinstance(result, tuple) else result)
        return result


def agent(wrapped: Function, instance: Any, args: Args, kwargs: Named) -> Any:
    """`Agent.kickoff`, an agent without a crew. Where a loop runs it gives a coroutine instead."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return _enter(agent_scope(instance), wrapped, args, kwargs)
    return wrapped(*args, **kwargs)


def lite_agent(wrapped: Function, instance: Any, args: Args, kwargs: Named) -> Any:
    """`LiteAgent.kickoff`, which is no coroutine anywhere."""
    return _enter(agent_scope(instance), wrapped, args, kwargs)


async def agent_async(wrapped: Coroutine, instance: Any, args: Args, kwargs: Named) -> Any:
    """`Agent.kickoff_async`, which `akickoff` calls too."""
    join_entry()
    return await _enter_async(agent_scope(instance), wrapped, args, kwargs)


def _enter(scope: SpanScope, wrapped: Function, args: Args, kwargs: Named) -> Any:
    with Entry(scope):
        _given(scope, args, kwargs)
        result = wrapped(*args, **kwargs)
        _returned(scope, result)
        return result


async def _enter_async(
    scope: SpanScope, wrapped: Coroutine, args: Args, kwargs: Named, *, insists: bool = True
) -> Any:
    async with Entry(scope, insists=insists):
        _given(scope, args, kwargs)
        result = await wrapped(*args, **kwargs)
        _returned(scope, result)
        return result


def _given(scope: SpanScope, args: Args, kwargs: Named) -> None:
    """The inputs, or the messages: the first argument of each way in."""
    if runtime.capture_content:
        with quietly("recording inputs"):
            given = args[0] if args else kwargs.get("inputs", kwargs.get("messages"))
            if given is not None:
                scope.record_input(given)


def _returned(scope: SpanScope, result: Any) -> None:
    with quietly("recording an output"):
        scope.returned(getattr(result, "raw", result))


def _is_internal(instance: Any) -> bool:
    """Whether CrewAI is made of it: its agents' loop and its memory are flows as well."""
    return bool(getattr(type(instance), "is_crewai_internal", False))
