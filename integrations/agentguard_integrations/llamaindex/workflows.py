"""A run of a workflow or an agent: from `run` until its handler has a result.

A workflow goes on in tasks of its own. Where its run is stopped for time, or by somebody, it is
asked to end as `handler.cancel_run()` does it; whoever waits for the handler gets the reason.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from contextvars import ContextVar
from typing import Any

from opentelemetry.context import Context, attach, detach

from agentguard.errors import Refused
from agentguard.guards.place import current_place
from agentguard.guards.verdict import Stop
from agentguard.runtime import runtime
from agentguard.span_scope import SpanScope
from agentguard.spans import agent_span, workflow_span
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.llamaindex.messages import text_of
from agentguard_integrations.llamaindex.scopes import enter, on_refused, reason_for
from agentguard_integrations.llamaindex.turns import Turns
from agentguard_integrations.patches import Patches

__all__ = ["WatchedRun", "patch_handlers", "patch_workflows"]

_ATTRIBUTE = "_agentguard_run"
_AGENTS = "llama_index.core.agent.workflow"
_PATIENCE_S = 1.0


class WatchedRun:
    """One run under way."""

    here: ContextVar[WatchedRun | None] = ContextVar("agentguard-llamaindex-run", default=None)
    """That of the steps which run in this task or thread."""

    def __init__(self, workflow: Any, scope: SpanScope, context: Context) -> None:
        self.workflow = workflow
        self.context = context
        self.turns = Turns(workflow, context) if _has_agents(workflow) else None
        self.is_agent = _is_agent(workflow) or self.turns is not None
        self._scope = scope
        self._handler: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._takes_back: list[Callable[[], None]] = []
        self._refused: Refused | None = None
        self._ending: asyncio.Future[Any] | None = None

    def refused(self, reason: Refused) -> None:
        """A model call in this run was refused."""
        self._refused = self._refused or reason

    def follow(self, handler: Any) -> None:
        """End the span when the handler has its result, and the handler when the run is stopped."""
        task = _task_of(handler)
        self._loop = asyncio.get_running_loop()
        setattr(handler, _ATTRIBUTE, self)
        self._handler = handler
        place = current_place(self.context)
        if place is not None:
            self._takes_back = [each.on_stop(self._stopped) for each in place.run.chain]
        task.add_done_callback(self._done)

    def reason_for(self, error: BaseException) -> Refused | None:
        """Why the run was stopped, in place of an error that does not say so."""
        return reason_for(error, self.context)

    def is_stopped(self) -> bool:
        """Whether nothing more of it may begin."""
        place = current_place(self.context)
        return place is not None and place.run.latched() is not None

    def hidden(self) -> Refused | None:
        """Why an agent was stopped whose own code went on as if it had not been."""
        if not self.is_agent or self._refused is None:
            return None
        return self._refused if self.is_stopped() else None

    def end_soon(self) -> None:
        """Ask the workflow to end, which cancels its steps; once."""
        if self._ending is not None:
            return
        with quietly("Ending a workflow"):
            adapter = getattr(self._handler, "_external_adapter", None)
            cancel = adapter.cancel() if adapter is not None else self._handler.cancel_run()
            self._ending = asyncio.ensure_future(cancel)

    async def left(self) -> None:
        """The task that waits is cancelled: where that is for a stop, nothing is left behind.

        The handler may be done before its steps are.
        """
        if not self.is_stopped():
            return
        self.end_soon()
        with suppress(Exception):
            adapter = getattr(self._handler, "_external_adapter", None)
            result = adapter.get_result() if adapter is not None else _task_of(self._handler)
            await asyncio.wait_for(result, timeout=_PATIENCE_S)

    def _stopped(self, stop: Stop) -> None:
        if stop.cuts_streams and self._loop is not None:
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self.end_soon)

    def _done(self, task: asyncio.Future[Any]) -> None:
        for take_back in self._takes_back:
            take_back()
        error: BaseException | None
        try:
            error = task.exception()
        except asyncio.CancelledError as cancelled:
            error = cancelled
        error = (self.reason_for(error) or error) if error is not None else self.hidden()
        if self.turns is not None:
            self.turns.end(error)
        with quietly("Ending the span of a workflow"):
            if error is None:
                self._scope.returned(_said(task.result()))
            self._scope.close(error)


def patch_workflows(patches: Patches) -> Callable[[Any], None]:
    """What wraps `Workflow.run`; takes its module."""

    def patch(module: Any) -> None:
        patches.wrap(module.Workflow, "run", _run)

    return patch


def patch_handlers(patches: Patches) -> Callable[[Any], None]:
    """What wraps the two ways to wait for a workflow; takes the module of its handler."""

    def patch(module: Any) -> None:
        patches.wrap(module.WorkflowHandler, "stream_events", _stream_events)
        patches.wrap(module.WorkflowHandler, "stop_event_result", _result)

    return patch


def _run(
    wrapped: Callable[..., Any], workflow: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    scope: SpanScope | None = None
    with quietly("Describing a workflow"):
        scope = _scope_of(workflow)
    context = enter(scope) if scope is not None else None
    if scope is None or context is None:
        return wrapped(*args, **kwargs)
    if runtime.capture_content:
        with quietly("Recording what a workflow is given"):
            scope.record_input(_asked(args, kwargs))
    watched = WatchedRun(workflow, scope, context)
    tokens = attach(context), WatchedRun.here.set(watched), on_refused.set(watched.refused)
    try:
        handler = wrapped(*args, **kwargs)
    except BaseException as error:
        scope.close(error)
        raise
    finally:
        on_refused.reset(tokens[2])
        WatchedRun.here.reset(tokens[1])
        detach(tokens[0])
    with quietly("Following a workflow"):
        watched.follow(handler)
        return handler
    # A handler of a kind that is not known: all that its span says is that it began.
    scope.close()
    return handler


async def _result(
    wrapped: Callable[..., Any], handler: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    watched: WatchedRun | None = getattr(handler, _ATTRIBUTE, None)
    if watched is None:
        return await wrapped(*args, **kwargs)
    try:
        event = await wrapped(*args, **kwargs)
    except asyncio.CancelledError:
        await watched.left()
        raise
    except Exception as error:
        reason = watched.reason_for(error)
        if reason is not None:
            raise reason from None
        raise
    hidden = watched.hidden()
    if hidden is not None:
        raise hidden
    return event


async def _stream_events(
    wrapped: Callable[..., AsyncIterator[Any]],
    handler: Any,
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
) -> AsyncIterator[Any]:
    watched: WatchedRun | None = getattr(handler, _ATTRIBUTE, None)
    try:
        async for event in wrapped(*args, **kwargs):
            yield event
    except asyncio.CancelledError:
        if watched is not None:
            await watched.left()
        raise


def _scope_of(workflow: Any) -> SpanScope:
    if _is_agent(workflow):
        return agent_span(workflow.name, description=workflow.description)
    return workflow_span(getattr(workflow, "_workflow_name", None) or type(workflow).__name__)


def _is_agent(workflow: Any) -> bool:
    """Whether it is one agent: a `FunctionAgent`, a `ReActAgent`, or one like them."""
    return _is_a(workflow, "BaseWorkflowAgent")


def _has_agents(workflow: Any) -> bool:
    """Whether it is several, which hand off to each other."""
    return _is_a(workflow, "AgentWorkflow")


def _is_a(workflow: Any, name: str) -> bool:
    bases = type(workflow).__mro__
    return any(b.__name__ == name and b.__module__.startswith(_AGENTS) for b in bases)


def _task_of(handler: Any) -> asyncio.Future[Any]:
    """What is done when the handler is: a task of it, or in older versions itself."""
    task: asyncio.Future[Any] = getattr(handler, "_result_task", handler)
    return task


def _asked(args: tuple[Any, ...], kwargs: dict[str, Any]) -> object:
    event = kwargs.get("start_event") or next((a for a in args if hasattr(a, "model_dump")), None)
    if event is not None:
        said = event.get("user_msg", None) if hasattr(event, "get") else None
        return event.model_dump() if said is None else text_of(said)
    return {name: value for name, value in kwargs.items() if name not in ("ctx", "run_id")}


def _said(result: Any) -> object:
    result = getattr(result, "result", result)
    response = getattr(result, "response", None)
    return text_of(response) if response is not None else result
