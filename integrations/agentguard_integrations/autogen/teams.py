"""Teams: `invoke_workflow {name}`, and in it the work of their members and of their manager.

A team works by messages, in tasks of a runtime that may have been started anywhere. What its
members do is part of the team's run all the same.
"""

from __future__ import annotations

from asyncio import CancelledError
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from opentelemetry.context import Context, attach, detach

from agentguard.cancellation import CancelOnStop
from agentguard.errors import Refused
from agentguard.guards.place import current_place
from agentguard.runtime import runtime
from agentguard.spans import workflow_span
from agentguard_integrations.autogen.agents import registered_as, text_of
from agentguard_integrations.autogen.work import Work, until_done
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.patches import Patches

__all__ = ["patch"]

_CHAT = "autogen_agentchat.teams._group_chat"


class _Run:
    """A team that is at work."""

    def __init__(self, context: Context) -> None:
        self.context = context
        """That of its span."""
        self.loop: Any = None
        """AutoGen's `RunContext`: the task that hands out messages."""


_at_work: dict[str, _Run] = {}
"""By the ids of the teams."""


def patch(patches: Patches) -> None:
    """Wrap what every team runs by, and how its members get their messages."""
    patches.on_import(f"{_CHAT}._base_group_chat", partial(_teams, patches))
    patches.on_import(f"{_CHAT}._sequential_routed_agent", partial(_members, patches))


def _teams(patches: Patches, module: Any) -> None:
    patches.wrap(module.BaseGroupChat, "run_stream", _stream)


def _members(patches: Patches, module: Any) -> None:
    patches.wrap(module.SequentialRoutedAgent, "on_message_impl", _receive)


async def _stream(
    wrapped: Callable[..., Any], team: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    scope = workflow_span(getattr(team, "name", None) or type(team).__name__)
    # Not cut itself: it waits for its members, which are.
    work = Work(team, scope, cut=False)
    work.begin()
    if runtime.capture_content:
        with quietly("recording a task"):
            scope.record_input(text_of(kwargs.get("task")))

    def look(item: Any) -> None:
        messages = getattr(item, "messages", None)
        if messages and hasattr(item, "stop_reason"):
            work.said = str(messages[-1].to_text())

    # A team that is at work already refuses to begin again, and stays what it is.
    run = _Run(work.context)
    _at_work.setdefault(team._team_id, run)
    stream = work.stream(wrapped(*args, **kwargs), look)
    try:
        async for item in stream:
            yield item
    finally:
        await stream.aclose()
        if _at_work.get(team._team_id) is run:
            del _at_work[team._team_id]
            if team._embedded_runtime and run.loop is not None:
                await _end(run.loop)


async def _end(loop: Any) -> None:
    """Leave no task behind where AutoGen was cancelled while it waited for its runtime to end."""
    if not loop._run_task.done():
        await until_done(tuple(loop._runtime._background_tasks))
        loop._run_task.cancel()
        await until_done((loop._run_task,))


def _receive(
    wrapped: Callable[..., Any], member: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    team = _at_work.get(member.id.key)
    if team is None:
        return wrapped(*args, **kwargs)
    message = args[1] if len(args) > 1 else kwargs.get("ctx")
    return _receive_in(team, partial(wrapped, *args, **kwargs), member, message)


async def _receive_in(team: _Run, call: Callable[[], Any], member: Any, message: Any) -> Any:
    """Let what the message is answered with be part of the team's run."""
    team.loop = getattr(member.runtime, "_run_context", None) or team.loop
    outer = attach(team.context)
    agent = getattr(member, "_agent", None)
    token = attach(registered_as(agent, str(member.id)))
    try:
        return await (call() if agent is not None else _manage(call, member))
    except Refused as refused:
        is_cut = refused.stop is not None and refused.stop.cuts_streams
        if is_cut and getattr(message, "is_rpc", False):
            # Whoever waits for the answer may have been cancelled by the same stop, and then the
            # runtime can take nothing but this: any other exception leaves it waiting for ever.
            raise CancelledError from None
        raise
    finally:
        detach(token)
        detach(outer)


async def _manage(call: Callable[[], Any], manager: Any) -> Any:
    """What the manager of a team does, cut by a stop that cuts. Agents and tools are by theirs."""
    place = current_place()
    if place is None:
        return await call()
    cancel = CancelOnStop(place.run)
    try:
        result = await call()
    except BaseException as error:
        reason = cancel.disarm(error)
        if reason is None:
            raise
        with quietly("ending a team"):
            await _tell(manager, reason)
        raise reason from None
    cancel.disarm(None)
    return result


async def _tell(manager: Any, reason: BaseException) -> None:
    """Let the team end also where its runtime is somebody else's, as for any other exception."""
    events: Any = import_module(f"{_CHAT}._events")
    said = events.SerializableException.from_exception(reason)
    await manager._signal_termination_with_error(said)
