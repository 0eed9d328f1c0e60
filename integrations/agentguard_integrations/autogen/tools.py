"""Tools, `execute_tool {name}`, and handoffs, `task handoff to {agent}`.

An assistant waits for ever where the execution of one of its calls raises. Its workbench makes an
answer of what a tool raises, and so is done here of what a guard refuses elsewhere.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any

from agentguard import semconv
from agentguard.errors import Refused
from agentguard.runtime import runtime
from agentguard.spans import TaskSpan, task_span, tool_span
from agentguard_integrations.autogen.work import Work, here, note
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.patches import Patches

__all__ = ["patch"]

_HANDOFF = "handoff"


def patch(patches: Patches) -> None:
    """Wrap tools of every class, and how an assistant executes the calls of its model."""
    patches.on_import("autogen_core.tools._base", partial(_tools, patches))
    patches.on_import("autogen_ext.tools.mcp._workbench", partial(_servers, patches))
    patches.on_import("autogen_agentchat.agents._assistant_agent", partial(_assistants, patches))


def _tools(patches: Patches, module: Any) -> None:
    patches.wrap(module.BaseTool, "run_json", _run)
    patches.wrap(module.BaseStreamTool, "run_json_stream", _stream)


def _servers(patches: Patches, module: Any) -> None:
    patches.wrap(module.McpWorkbench, "call_tool", _call_server)


def _assistants(patches: Patches, module: Any) -> None:
    patches.wrap(module.AssistantAgent, "_execute_tool_call", _execute)


def _run(
    wrapped: Callable[..., Any], tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    if _is_handed_off(tool):
        return wrapped(*args, **kwargs)
    return _run_in_span(partial(wrapped, *args, **kwargs), tool, _given(args, kwargs), kwargs)


async def _run_in_span(
    call: Callable[[], Any], tool: Any, given: object, kwargs: dict[str, Any]
) -> Any:
    work = _begin(tool, tool.name, tool.description, given, kwargs.get("call_id"))
    return await work.run(call, tool.return_value_as_string)


async def _stream(
    wrapped: Callable[..., Any], tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    given = _given(args, kwargs)
    work = _begin(tool, tool.name, tool.description, given, kwargs.get("call_id"))

    def look(item: Any) -> None:
        if isinstance(item, tool.return_type()):
            work.said = tool.return_value_as_string(item)

    stream = work.stream(wrapped(*args, **kwargs), look)
    try:
        async for item in stream:
            yield item
    finally:
        await stream.aclose()


async def _call_server(
    wrapped: Callable[..., Any], server: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    name = args[0] if args else kwargs.get("name")
    given = args[1] if len(args) > 1 else kwargs.get("arguments")
    work = _begin(server, str(name), None, given, kwargs.get("call_id"), "extension")
    return await work.run(partial(wrapped, *args, **kwargs), lambda result: result.to_text())


def _begin(
    of: object,
    name: str,
    description: str | None,
    given: object,
    call_id: str | None,
    kind: str = "function",
) -> Work:
    scope = tool_span(name, call_id=call_id, type=kind, description=description or None)
    scope.given = lambda: given
    work = Work(of, scope)
    work.begin()
    if runtime.capture_content:
        with quietly("recording arguments"):
            scope.record_input(given)
    return work


async def _execute(
    wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    call = kwargs.get("tool_call") or args[0]
    offered = kwargs.get("handoff_tools") or ()
    handoff = next((tool for tool in offered if tool.name == call.name), None)
    execute = partial(wrapped, *args, **kwargs)
    agent, task = here(), asyncio.current_task()
    if agent is not None and task is not None:
        agent.tasks.add(task)
        task.add_done_callback(agent.tasks.discard)
    try:
        if handoff is None:
            return await execute()
        work = Work(handoff, _handoff_span(handoff, call))
        work.begin()
        return await work.run(execute, lambda answered: answered[1].content)
    except Refused as refused:
        note(refused, here())
        return call, _answer(call, refused)


def _answer(call: Any, refused: Refused) -> Any:
    """What the model is told, if anybody asks it again."""
    types: Any = import_module("autogen_core.models")
    return types.FunctionExecutionResult(
        content=str(refused), call_id=call.id, is_error=True, name=call.name
    )


def _handoff_span(handoff: Any, call: Any) -> TaskSpan:
    target = call.name
    with quietly("reading a handoff"):
        # The tool is made by `Handoff.handoff_tool`, around a function that knows the handoff.
        target = handoff._func.__closure__[0].cell_contents.target
    attributes = {semconv.OPERATION_NAME: _HANDOFF, semconv.TOOL_CALL_ID: call.id}
    return task_span(f"handoff to {target}", attributes=attributes)


def _is_handed_off(tool: Any) -> bool:
    """Whether it is the tool of a handoff, which has its span."""
    inside = here()
    return inside is not None and inside.of is tool


def _given(args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    return args[0] if args else kwargs.get("args")
