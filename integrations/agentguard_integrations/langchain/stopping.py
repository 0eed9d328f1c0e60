"""Ending promptly: nothing is tried again in a run that was stopped, and its caller is told why."""

from __future__ import annotations

from asyncio import iscoroutine
from functools import partial
from typing import Any

from agentguard.errors import Refused, RunStopped, ToolDenied
from agentguard.guards.place import current_place
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.langchain.runs import Run, Runs, begun
from agentguard_integrations.patches import Patches

__all__ = ["patch"]


def patch(patches: Patches, runs: Runs) -> None:
    """Wrap what tries again, what makes an answer of an error, and where errors come out."""
    patches.on_import("langchain_core.callbacks.manager", partial(_ends, patches, runs))
    patches.on_import("langchain_core.tools.base", partial(_tools, patches))
    patches.on_import("langchain_core.runnables.retry", partial(_with_retry, patches))
    patches.on_import("langgraph.pregel._retry", partial(_nodes, patches))
    for kind in ("model", "tool"):
        name = f"langchain.agents.middleware.{kind}_retry"
        patches.on_import(name, partial(_middleware, patches, f"{kind.title()}RetryMiddleware"))


def _is_over(error: object) -> bool:
    """Whether it ended the run, or came when that had ended."""
    if isinstance(error, RunStopped):
        return True
    place = current_place()
    return place is not None and place.run.latched() is not None


def _ends(patches: Patches, runs: Runs, module: Any) -> None:
    """A handler of the outermost run's failure may raise: that is what its caller gets."""

    def failed(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        run = runs.get(instance.run_id)
        done = wrapped(*args, **kwargs)
        _raise_instead(run, args[0] if args else kwargs.get("error"))
        return done

    async def failed_async(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        run = runs.get(instance.run_id)
        done = await wrapped(*args, **kwargs)
        _raise_instead(run, args[0] if args else kwargs.get("error"))
        return done

    patches.wrap(module.CallbackManagerForChainRun, "on_chain_error", failed)
    patches.wrap(module.AsyncCallbackManagerForChainRun, "on_chain_error", failed_async)
    for name in ("on_chat_model_start", "on_llm_start"):
        patches.wrap(module.CallbackManager, name, partial(_start, runs))
        patches.wrap(module.AsyncCallbackManager, name, partial(_start_async, runs))


def _start(runs: Runs, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """Of several prompts in one call, those before the one that is refused are not sent either."""
    token = begun.set([])
    try:
        return wrapped(*args, **kwargs)
    except Refused as refused:
        _end_begun(runs, refused)
        raise
    finally:
        begun.reset(token)


async def _start_async(runs: Runs, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """The same; what was to tell other handlers of a refused call would warn that it never ran."""
    token = begun.set([])
    try:
        return await wrapped(*args, **kwargs)
    except Refused as refused:
        _end_begun(runs, refused)
        traceback = refused.__traceback__
        while traceback is not None:
            said = traceback.tb_frame.f_locals
            for task in (*said.get("inline_tasks", ()), *said.get("non_inline_tasks", ())):
                if iscoroutine(task):
                    task.close()
            traceback = traceback.tb_next
        raise
    finally:
        begun.reset(token)


def _end_begun(runs: Runs, refused: Refused) -> None:
    with quietly("Ending calls that were not made"):
        for run_id in begun.get() or ():
            runs.end(run_id, refused)


def _raise_instead(run: Run | None, error: BaseException | None) -> None:
    if run is None or error is None:
        return
    reason = run.reason_for(error)
    if reason is not None and reason is not error:
        raise reason from None


def _tools(patches: Patches, module: Any) -> None:
    """A model whose call of a tool is denied is told so, and may go on without it."""

    def run(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        try:
            return wrapped(*args, **kwargs)
        except ToolDenied as denied:
            return _told(instance, kwargs, denied)

    async def arun(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        try:
            return await wrapped(*args, **kwargs)
        except ToolDenied as denied:
            return _told(instance, kwargs, denied)

    patches.wrap(module.BaseTool, "run", run)
    patches.wrap(module.BaseTool, "arun", arun)


def _told(tool: Any, kwargs: Any, denied: ToolDenied) -> Any:
    from langchain_core.messages import ToolMessage

    called = kwargs.get("tool_call_id")
    if called is None:
        raise denied
    return ToolMessage(str(denied), name=tool.name, tool_call_id=called, status="error")


def _with_retry(patches: Patches, module: Any) -> None:
    def retrying(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        attempts = wrapped(*args, **kwargs)
        asked = attempts.retry

        def retry(state: Any) -> Any:
            outcome = state.outcome
            if outcome is not None and outcome.failed and _is_over(outcome.exception()):
                return False
            return asked(state)

        attempts.retry = retry
        return attempts

    patches.wrap(module.RunnableRetry, "_sync_retrying", retrying)
    patches.wrap(module.RunnableRetry, "_async_retrying", retrying)


def _nodes(patches: Patches, module: Any) -> None:
    patches.wrap(module, "_should_retry_on", partial(_unless_over, 1))


def _middleware(patches: Patches, owner: str, module: Any) -> None:
    if hasattr(module, "should_retry_exception"):
        patches.wrap(module, "should_retry_exception", partial(_unless_over, 0))
    middleware = getattr(module, owner)
    if hasattr(middleware, "_should_retry_exception"):
        patches.wrap(middleware, "_should_retry_exception", partial(_unless_over, 0))
    patches.wrap(middleware, "_handle_failure", _raise_what_ended)


def _unless_over(position: int, wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    error = args[position] if len(args) > position else kwargs.get("exc")
    return False if _is_over(error) else wrapped(*args, **kwargs)


def _raise_what_ended(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
    """Not an answer for the model: there is none any more that it could be told."""
    for given in (*args, *kwargs.values()):
        if isinstance(given, RunStopped):
            raise given
    return wrapped(*args, **kwargs)
