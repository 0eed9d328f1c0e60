"""Tools: what they are given, whether they may run, and what they give back."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from functools import partial
from typing import Any

from agentguard.errors import ToolDenied
from agentguard.runtime import runtime
from agentguard.spans import tool_span
from agentguard_integrations.patches import Patches

__all__ = ["patch"]

# Which function it is, by the version.
_INVOKED_BY = ("_invoke_function_tool_with_metadata", "invoke_function_tool")


def patch(module: Any, patches: Patches) -> None:
    """Wrap the one function of `agents.run_internal.tool_execution` that runs function tools."""
    name = next((name for name in _INVOKED_BY if hasattr(module, name)), _INVOKED_BY[0])
    patches.wrap(module, name, _invoke)


async def _invoke(
    wrapped: Callable[..., Coroutine[Any, Any, Any]], _: Any, args: Any, kwargs: dict[str, Any]
) -> Any:
    tool, context, arguments = kwargs["function_tool"], kwargs["context"], kwargs["arguments"]
    scope = tool_span(
        tool.name,
        call_id=getattr(context, "tool_call_id", None),
        description=tool.description or None,
    )
    given = partial(_parsed, arguments)
    scope.given = given
    try:
        scope.__enter__()
    except ToolDenied as denied:
        # The agent is told, as of any tool that failed, and may go on without it.
        return _as_result(str(denied))
    try:
        if runtime.capture_content:
            scope.record_input(given())
        result = await wrapped(*args, **kwargs)
        scope.returned(getattr(result, "output", result))
    except BaseException as error:
        scope.__exit__(type(error), error, error.__traceback__)
        raise
    scope.__exit__(None, None, None)
    return result


def _parsed(arguments: object) -> object:
    try:
        return json.loads(arguments) if isinstance(arguments, str) else arguments
    except ValueError:
        return arguments


def _as_result(said: str) -> Any:
    """What the function returns: a text, or in newer versions the text and what it is."""
    from agents import tool  # type: ignore[import-not-found]  # installed where this runs

    kind = getattr(tool, "_FunctionToolInvocationResult", None)
    return said if kind is None else kind(said)
