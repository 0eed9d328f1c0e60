"""Where the application's and the model clients' code runs: in the context of the run it is for.

LangChain runs what it is given in a copy of the context of its own; that is where ours goes, so
there is nothing to take back, in whatever thread or task a run ends.
"""

from __future__ import annotations

from functools import partial
from typing import Any

from opentelemetry.context import attach, detach

from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.langchain import retrieval
from agentguard_integrations.langchain.kinds import graph_starts
from agentguard_integrations.langchain.runs import Run, Runs
from agentguard_integrations.patches import Patches

__all__ = ["patch"]


def patch(patches: Patches, runs: Runs) -> None:
    """Wrap what LangChain and LangGraph begin code of others with."""
    for module in ("langchain_core.runnables.config", "langgraph._internal._runnable"):
        patches.on_import(module, partial(_in_copies, patches, runs))
    patches.on_import("langchain_core.language_models.chat_models", partial(_chat, patches, runs))
    patches.on_import("langchain_core.language_models.llms", partial(_completion, patches, runs))
    patches.on_import("langgraph.pregel.main", partial(_graphs, patches))
    retrieval.patch(patches)


def _in_copies(patches: Patches, runs: Runs, module: Any) -> None:
    def set_config_context(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        done = wrapped(*args, **kwargs)
        with quietly("Entering a run"):
            config = args[0] if args else kwargs["config"]
            run = runs.get(getattr(config.get("callbacks"), "parent_run_id", None))
            if run is not None:
                attach(run.context)
        return done

    patches.wrap(module, "_set_config_context", set_config_context)


def _chat(patches: Patches, runs: Runs, module: Any) -> None:
    def find(args: Any, kwargs: Any) -> Run | None:
        manager = kwargs.get("run_manager") or (args[2] if len(args) > 2 else None)
        return runs.get(getattr(manager, "run_id", None))

    patches.wrap(module.BaseChatModel, "_generate_with_cache", _inside(find))
    patches.wrap(module.BaseChatModel, "_agenerate_with_cache", _inside_async(find))


def _completion(patches: Patches, runs: Runs, module: Any) -> None:
    # One request may be for several prompts, each of which is a run: it is the first one's.
    def find(args: Any, kwargs: Any) -> Run | None:
        managers = kwargs.get("run_managers") or (args[2] if len(args) > 2 else None)
        return runs.get(managers[0].run_id) if managers else None

    patches.wrap(module.BaseLLM, "_generate_helper", _inside(find))
    patches.wrap(module.BaseLLM, "_agenerate_helper", _inside_async(find))


def _inside(find: Any) -> Any:
    def call(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        run = _found(find, args, kwargs)
        if run is None:
            return wrapped(*args, **kwargs)
        token = attach(run.context)
        try:
            return wrapped(*args, **kwargs)
        finally:
            detach(token)

    return call


def _inside_async(find: Any) -> Any:
    async def call(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        run = _found(find, args, kwargs)
        if run is None:
            return await wrapped(*args, **kwargs)
        token = attach(run.context)
        try:
            return await wrapped(*args, **kwargs)
        finally:
            detach(token)

    return call


def _found(find: Any, args: Any, kwargs: Any) -> Run | None:
    with quietly("Finding a model's run"):
        found: Run | None = find(args, kwargs)
        return found
    return None


def _graphs(patches: Patches, module: Any) -> None:
    # A graph asks for its callbacks right before it tells them that it starts.
    def configured(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        manager = wrapped(*args, **kwargs)
        graph_starts.set(True)
        return manager

    patches.wrap(module, "get_callback_manager_for_config", configured)
    patches.wrap(module, "get_async_callback_manager_for_config", configured)
