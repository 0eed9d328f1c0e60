"""`@agent`, `@tool` and `@task`: a span around each call of a function.

Each works with and without parentheses, on functions, methods, coroutines and generators, and
leaves the signature as it was. A plain `@tool` takes its name from the function.
"""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, overload

from agentguard.span_scope import Attributes, SpanScope
from agentguard.spans import (
    AgentSpan,
    TaskSpan,
    ToolSpan,
    agent_span,
    task_span,
    tool_span,
)
from agentguard.wrapping import wrap

__all__ = ["agent", "task", "tool"]

F = TypeVar("F", bound="Callable[..., Any] | staticmethod[..., Any] | classmethod[Any, ..., Any]")


@overload
def agent(function: F, /) -> F: ...
@overload
def agent(
    function: str | None = None,
    /,
    *,
    name: str | None = None,
    id: str | None = None,
    description: str | None = None,
    attributes: Attributes | None = None,
) -> Callable[[F], F]: ...
def agent(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    id: str | None = None,  # noqa: A002 - the conventions' word
    description: str | None = None,
    attributes: Attributes | None = None,
) -> Any:
    """Trace a function as an agent: `invoke_agent {name}`.

    Spans made inside, by anyone, carry the agent's name and id.
    """
    make = partial(agent_span, id=id, description=description, attributes=attributes)
    return _decorate(function, name, make, AgentSpan)


@overload
def tool(function: F, /) -> F: ...
@overload
def tool(
    function: str | None = None,
    /,
    *,
    name: str | None = None,
    type: str = "function",
    description: str | None = None,
    attributes: Attributes | None = None,
) -> Callable[[F], F]: ...
def tool(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    type: str = "function",  # noqa: A002 - the conventions' word
    description: str | None = None,
    attributes: Attributes | None = None,
) -> Any:
    """Trace a function as a tool: `execute_tool {name}`."""
    make = partial(tool_span, type=type, description=description, attributes=attributes)
    return _decorate(function, name, make, ToolSpan)


@overload
def task(function: F, /) -> F: ...
@overload
def task(
    function: str | None = None,
    /,
    *,
    name: str | None = None,
    attributes: Attributes | None = None,
) -> Callable[[F], F]: ...
def task(
    function: Any = None,
    /,
    *,
    name: str | None = None,
    attributes: Attributes | None = None,
) -> Any:
    """Trace a function as a step of an agent's own work: `task {name}`."""
    return _decorate(function, name, partial(task_span, attributes=attributes), TaskSpan)


def _decorate(
    function: Any, name: str | None, describe: Callable[[str], SpanScope], scope: type[SpanScope]
) -> Any:
    """Decorate now, or return the decorator when only a name or options were given."""
    if function is None or isinstance(function, str):
        return lambda decorated: _decorate(decorated, name or function, describe, scope)
    # Described once: a call then only has to start a span.
    described = describe(name or _name_of(function))
    return wrap(function, partial(scope, described.span_name, described.attributes))


def _name_of(function: Any) -> str:
    return getattr(function, "__name__", None) or type(function).__name__
