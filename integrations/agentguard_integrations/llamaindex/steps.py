"""The steps of a workflow: tasks of their own, or what an agent's turn consists of."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any

from opentelemetry.context import Context, attach, detach

from agentguard.errors import Refused
from agentguard.span_scope import SpanScope
from agentguard.spans import task_span
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.llamaindex.scopes import enter
from agentguard_integrations.llamaindex.tools import asked_as
from agentguard_integrations.llamaindex.workflows import WatchedRun
from agentguard_integrations.patches import Patches

__all__ = ["patch_steps"]

Worker = Callable[..., Awaitable[list[Any]]]


def patch_steps(patches: Patches) -> Callable[[Any], None]:
    """What wraps the steps of each workflow that is run from now on; takes their module."""

    def patch(module: Any) -> None:
        def make(
            wrapped: Callable[..., Worker],
            instance: Any,
            args: tuple[Any, ...],
            kwargs: dict[str, Any],
        ) -> Worker:
            return _traced(wrapped(*args, **kwargs), module)

        patches.wrap(module, "as_step_worker_function", make)

    return patch


def _traced(worker: Worker, module: Any) -> Worker:
    async def step(*args: Any, **kwargs: Any) -> list[Any]:
        watched = WatchedRun.here.get()
        if watched is None:
            # Begun before somebody traced it, or since nobody does any more.
            return await worker(*args, **kwargs)
        event, name = kwargs.get("event"), str(kwargs.get("step_name") or "")
        scope: SpanScope | None = None
        try:
            workflow = kwargs.get("workflow", watched.workflow)
            context, scope = _begin(watched, workflow, name, event)
        except Refused as reason:
            return [_failure(module, watched, reason)]
        token = attach(context) if context is not None else None
        said = asked_as.set(getattr(event, "tool_id", None))
        try:
            outputs = await worker(*args, **kwargs)
        except BaseException as error:
            with quietly("Ending a step"):
                if scope is not None:
                    scope.close(error)
            raise
        finally:
            asked_as.reset(said)
            if token is not None:
                detach(token)
        with quietly("Ending a step"):
            return _ended(watched, scope, outputs, module)
        return outputs

    for name in ("__name__", "__qualname__", "__wrapped__"):
        with quietly("Naming a step"):
            setattr(step, name, getattr(worker, name))
    return step


def _begin(
    watched: WatchedRun, workflow: Any, name: str, event: Any
) -> tuple[Context | None, SpanScope | None]:
    if watched.turns is not None:
        watched.turns.take_in(event)
    method = getattr(type(workflow), name, None)
    module = getattr(method, "__module__", None) or ""
    if watched.is_agent and module.startswith("llama_index."):
        # What agents are made of says no more than their model calls and tools do.
        return (watched.turns.context if watched.turns is not None else None), None
    scope = task_span(name)
    return enter(scope), scope


def _ended(
    watched: WatchedRun, scope: SpanScope | None, outputs: list[Any], module: Any
) -> list[Any]:
    """What came of the step; it is not tried again where the run was stopped."""
    error = next((each.exception for each in outputs if _has_failed(each)), None)
    if error is None:
        if scope is not None:
            scope.close()
        return outputs
    reason = error if isinstance(error, Refused) else watched.reason_for(error)
    if scope is not None:
        scope.close(reason or error)
    if reason is None or not watched.is_stopped():
        return outputs
    return [_failure(module, watched, reason) if _has_failed(each) else each for each in outputs]


def _has_failed(output: Any) -> bool:
    return type(output).__name__ == "StepWorkerFailed"


def _failure(module: Any, watched: WatchedRun, reason: Refused) -> Any:
    """A failure that no policy is asked about whether to try again."""
    failed = module.StepWorkerFailed(exception=reason, failed_at=time.time())
    if not watched.is_stopped():
        return failed
    decision = getattr(import_module("workflows.runtime.types.results"), "RetryDecision", None)
    if decision is None:
        # An earlier version asks the policy in any case, and may wait for long then.
        watched.end_soon()
        return failed
    return failed.model_copy(update={"retry_decision": decision(delay=None)})
