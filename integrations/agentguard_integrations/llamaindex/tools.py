"""Tools, by whichever way they are called, and the handoff of one agent to the next."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Context as ContextVars
from contextvars import ContextVar, copy_context
from functools import partial
from typing import Any, Final

from opentelemetry.context import Context, attach, detach

from agentguard import semconv
from agentguard.runtime import runtime
from agentguard.span_scope import SpanScope
from agentguard.spans import task_span, tool_span
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.llamaindex.scopes import enter
from agentguard_integrations.patches import Patches

__all__ = [
    "ASYNC_TOOL_METHODS",
    "TOOL_METHODS",
    "asked_as",
    "patch_function_tools",
    "patch_tool_calls",
]

_HANDOFF: Final = "handoff"
asked_as: ContextVar[str | None] = ContextVar("agentguard-llamaindex-asked-as", default=None)
"""The id that the model gave its request for the tool that is about to be called."""
_running: ContextVar[object | None] = ContextVar("agentguard-llamaindex-tool", default=None)
"""The tool that runs here: its `acall` may be its `call`, in a thread."""


def patch_tool_calls(patches: Patches) -> Callable[[Any], None]:
    """What reads the id of a call where it is made outside of agents; takes their module."""

    def patch(module: Any) -> None:
        patches.wrap(module, "call_tool_with_selection", _with_selection)
        patches.wrap(module, "acall_tool_with_selection", _with_selection_async)

    return patch


def patch_function_tools(patches: Patches) -> Callable[[Any], None]:
    """What keeps a plain function in its run, in the thread it is called in; takes its module.

    LlamaIndex does so itself by now; in 0.14.0 such a tool was nowhere, and its models unguarded.
    """

    def patch(module: Any) -> None:
        patches.wrap(module, "sync_to_async", _to_async)

    return patch


def _to_async(
    wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    function = args[0] if args else kwargs["fn"]

    def within(here: ContextVars, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        return here.run(function, *given, **named)

    inside = wrapped(within)

    async def call(*given: Any, **named: Any) -> Any:
        return await inside(copy_context(), given, named)

    return call


def _selected(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str | None:
    selection = args[0] if args else kwargs.get("tool_call")
    return getattr(selection, "tool_id", None)


def _with_selection(
    wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    token = asked_as.set(_selected(args, kwargs))
    try:
        return wrapped(*args, **kwargs)
    finally:
        asked_as.reset(token)


async def _with_selection_async(
    wrapped: Callable[..., Any], _: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    token = asked_as.set(_selected(args, kwargs))
    try:
        return await wrapped(*args, **kwargs)
    finally:
        asked_as.reset(token)


def _call(
    wrapped: Callable[..., Any], tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    begun = _begin(tool, args, kwargs)
    if begun is None:
        return wrapped(*args, **kwargs)
    scope, context = begun
    token, ran, said = attach(context), _running.set(tool), asked_as.set(None)
    try:
        output = wrapped(*args, **kwargs)
    except BaseException as error:
        _failed(scope, error)
        raise
    finally:
        asked_as.reset(said)
        _running.reset(ran)
        detach(token)
    _worked(scope, output)
    return output


async def _call_async(
    wrapped: Callable[..., Any], tool: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    begun = _begin(tool, args, kwargs)
    if begun is None:
        return await wrapped(*args, **kwargs)
    scope, context = begun
    token, ran, said = attach(context), _running.set(tool), asked_as.set(None)
    try:
        output = await wrapped(*args, **kwargs)
    except BaseException as error:
        _failed(scope, error)
        raise
    finally:
        asked_as.reset(said)
        _running.reset(ran)
        detach(token)
    _worked(scope, output)
    return output


def _begin(
    tool: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[SpanScope, Context] | None:
    if _running.get() is tool:
        return None
    scope: SpanScope | None = None
    given: dict[str, Any] = {}
    with quietly("Describing a tool"):
        given = _arguments(tool, args, kwargs)
        scope = _scope_of(tool, given)
        scope.given = partial(dict, given)
    context = enter(scope) if scope is not None else None
    if scope is None or context is None:
        return None
    if runtime.capture_content:
        with quietly("Recording what a tool is given"):
            scope.record_input(given)
    return scope, context


def _scope_of(tool: Any, given: Mapping[str, Any]) -> SpanScope:
    said = tool.metadata
    made_by = getattr(getattr(tool, "real_fn", None), "__module__", None) or ""
    if said.name == _HANDOFF and made_by.startswith("llama_index."):
        return task_span(
            f"{_HANDOFF} to {given.get('to_agent', 'another agent')}",
            attributes={semconv.OPERATION_NAME: _HANDOFF},
        )
    is_search = hasattr(tool, "query_engine") or hasattr(tool, "retriever")
    return tool_span(
        said.name or type(tool).__name__,
        call_id=asked_as.get(),
        type="datastore" if is_search else "function",
        description=said.description,
    )


def _arguments(tool: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """What the model gave, by name; not the context of a workflow, which LlamaIndex adds."""
    hidden = getattr(tool, "ctx_param_name", None)
    given = {name: value for name, value in kwargs.items() if name != hidden}
    if args:
        fields = getattr(getattr(tool.metadata, "fn_schema", None), "model_fields", None) or {}
        names = [name for name in fields if name not in given]
        for at, value in enumerate(args):
            given[names[at] if at < len(names) else f"argument {at + 1}"] = value
    return given


def _worked(scope: SpanScope, output: Any) -> None:
    with quietly("Recording what a tool gave back"):
        scope.returned(getattr(output, "content", output))
        if getattr(output, "is_error", False):
            error = getattr(output, "exception", None)
            scope.record_failure(str(output), type(error).__qualname__ if error else "error")
    with quietly("Ending the span of a tool"):
        scope.close()


def _failed(scope: SpanScope, error: BaseException) -> None:
    # A tool that waits for a person leaves its step by an exception, and is called again later.
    waits = type(error).__name__ == "WaitingForEvent"
    with quietly("Ending the span of a tool"):
        scope.close(None if waits else error)


ASYNC_TOOL_METHODS = {"call": _call, "acall": _call_async}
TOOL_METHODS = {"__call__": _call}
