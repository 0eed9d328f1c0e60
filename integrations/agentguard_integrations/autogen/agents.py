"""Agents: `invoke_agent {name}`, by whichever of their methods they are asked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from opentelemetry.context import create_key, get_value, set_value

from agentguard.runtime import runtime
from agentguard.spans import agent_span
from agentguard_integrations.autogen.subclasses import wrap_in_all
from agentguard_integrations.autogen.work import Work, here
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.patches import Patches

__all__ = ["patch", "registered_as", "text_of"]

_ID_KEY = create_key("agentguard-autogen-id")


def patch(patches: Patches) -> None:
    """Wrap agents of every class."""
    patches.on_import("autogen_agentchat.agents._base_chat_agent", partial(_agents, patches))


def registered_as(agent: object, name: str) -> Any:
    """The context in which the agent is known to its runtime by that name."""
    return set_value(_ID_KEY, (agent, name))


def _agents(patches: Patches, module: Any) -> None:
    wrappers = {
        "run": partial(_run, "task"),
        "on_messages": partial(_run, "messages"),
        "run_stream": partial(_stream, "task"),
        "on_messages_stream": partial(_stream, "messages"),
    }
    wrap_in_all(patches, module.BaseChatAgent, wrappers)


def _run(
    asked: str,
    wrapped: Callable[..., Any],
    agent: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    if _is_at_work(agent):
        return wrapped(*args, **kwargs)
    return _run_in_span(asked, partial(wrapped, *args, **kwargs), agent, args, kwargs)


async def _run_in_span(
    asked: str,
    call: Callable[[], Any],
    agent: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    work = _begin(agent, args[0] if args else kwargs.get(asked))
    return await work.run(call, _said_in_the_end)


def _stream(
    asked: str,
    wrapped: Callable[..., Any],
    agent: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> Any:
    if _is_at_work(agent):
        return wrapped(*args, **kwargs)
    return _stream_in_span(asked, wrapped(*args, **kwargs), agent, args, kwargs)


async def _stream_in_span(
    asked: str, items: Any, agent: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    work = _begin(agent, args[0] if args else kwargs.get(asked))

    def look(item: Any) -> None:
        if hasattr(item, "chat_message") or hasattr(item, "messages"):
            work.said = _said_in_the_end(item)

    stream = work.stream(items, look)
    try:
        async for item in stream:
            yield item
    finally:
        await stream.aclose()


def _is_at_work(agent: Any) -> bool:
    """Whether this is one of the agent's methods calling another."""
    inside = here()
    return inside is not None and inside.of is agent


def _begin(agent: Any, asked: Any) -> Work:
    known = get_value(_ID_KEY)
    id_ = known[1] if isinstance(known, tuple) and known[0] is agent else None
    scope = agent_span(agent.name, id=id_, description=agent.description or None)
    work = Work(agent, scope)
    work.begin()
    if runtime.capture_content:
        with quietly("recording a task"):
            scope.record_input(text_of(asked))
    return work


def text_of(asked: Any) -> str:
    """What is asked: text, a message, or several."""
    if asked is None or isinstance(asked, str):
        return asked or ""
    if isinstance(asked, Sequence):
        return "\n".join(map(text_of, asked))
    return str(asked.to_text())


def _said_in_the_end(result: Any) -> str:
    """The text of a `Response`, or of the last message of a `TaskResult`."""
    message = getattr(result, "chat_message", None) or result.messages[-1]
    return str(message.to_text())
