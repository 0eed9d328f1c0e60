"""The SDK's traces and spans, as spans of ours.

Its spans say what happens where, also when its tracing is turned off. They are followed where they
start and end, and not by a processor: what a processor raises is swallowed.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from contextvars import Token
from typing import Any

from opentelemetry.context import _RUNTIME_CONTEXT as CURRENT
from opentelemetry.context import Context, attach

from agentguard.semconv import CONVERSATION_ID
from agentguard.span_scope import SpanScope
from agentguard.spans import agent_span, task_span, workflow_span
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.patches import Patches

__all__ = ["patch", "patch_traces"]

_HELD = "_agentguard_scope"
_Held = tuple[SpanScope, Token[Context]]


def patch(module: Any, patches: Patches) -> None:
    """Follow the spans of `agents.tracing.spans`."""
    for kind in (module.SpanImpl, module.NoOpSpan):
        patches.wrap(kind, "start", _start)
        patches.wrap(kind, "finish", _finish)


def patch_traces(module: Any, patches: Patches) -> None:
    """Follow the traces of `agents.tracing.traces`; one that is turned off has no name."""
    for kind in (module.TraceImpl, module.NoOpTrace):
        patches.wrap(kind, "start", _start_trace)
        patches.wrap(kind, "finish", _finish)
        # A trace may be entered without being started by its caller, which some versions inline.
        patches.wrap(kind, "__enter__", _start_trace)
        patches.wrap(kind, "__exit__", _finish)


def _start(wrapped: Callable[..., Any], span: Any, args: Any, kwargs: Any) -> Any:
    if getattr(span, _HELD, None) is None:
        with quietly("Starting a span"):
            _open(span, _scope_of(span.span_data))
    return wrapped(*args, **kwargs)


def _start_trace(wrapped: Callable[..., Any], trace: Any, args: Any, kwargs: Any) -> Any:
    if getattr(trace, _HELD, None) is None:
        with quietly("Starting a span"):
            _open(trace, _workflow(trace))
    return wrapped(*args, **kwargs)


def _finish(wrapped: Callable[..., Any], span: Any, args: Any, kwargs: Any) -> Any:
    try:
        return wrapped(*args, **kwargs)
    finally:
        held: _Held | None = getattr(span, _HELD, None)
        if held is not None:
            with quietly("Ending a span"):
                _close(span, *held)


def _workflow(trace: Any) -> SpanScope:
    name = getattr(trace, "name", None)
    group = getattr(trace, "group_id", None)
    named = name if isinstance(name, str) and name not in ("", "no-op") else "Agent workflow"
    return workflow_span(named, attributes={CONVERSATION_ID: group} if group else None)


def _scope_of(data: Any) -> SpanScope | None:
    """None for what has a span of its own elsewhere, and for mere bookkeeping."""
    match data.type:
        case "agent":
            return agent_span(data.name)
        case "handoff":
            return task_span(
                f"handoff from {data.from_agent}",
                attributes={"gen_ai.operation.name": "handoff"},
            )
        case "guardrail":
            return task_span(f"guardrail {data.name}")
        case "mcp_tools":
            return task_span(f"list tools of {data.server or 'an MCP server'}")
        case "custom":
            return task_span(data.name)
    return None


def _open(owner: Any, scope: SpanScope | None) -> None:
    if scope is not None:
        setattr(owner, _HELD, (scope, attach(scope.open())))


def _close(owner: Any, scope: SpanScope, token: Token[Context]) -> None:
    setattr(owner, _HELD, None)
    # A stream that is closed from elsewhere ends its spans in another context.
    with suppress(ValueError):
        CURRENT.detach(token)
    data = getattr(owner, "span_data", None)
    if data is not None:
        _tell(scope, owner, data)
    scope.close()


def _tell(scope: SpanScope, span: Any, data: Any) -> None:
    if data.type == "handoff" and data.to_agent:
        scope.span.update_name(f"handoff from {data.from_agent} to {data.to_agent}")
    problem = span.error
    if problem:
        message = str(problem.get("message", "")) if isinstance(problem, dict) else str(problem)
        scope.record_failure(message)
