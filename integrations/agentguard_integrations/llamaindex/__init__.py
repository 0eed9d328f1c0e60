"""LlamaIndex: models, query and chat engines, retrievers, tools, workflows and agents.

Its dispatcher swallows whatever a handler raises, so guards are asked where the work is done: the
methods of its base classes are wrapped, in every class that has one of its own.

    classes     which classes, those there are and those to come
    models      a call of an LLM; messages: what is said in it; streams: answers in pieces
    embeddings  a call of an embedding model
    engines     query engines, chat engines, retrievers, and the making of indices; answers: what
                they give back, some of it later
    tools       tools, and the handoff between agents
    workflows   runs of workflows and agents; steps: what they consist of; turns: whose they are
"""

from __future__ import annotations

from agentguard_integrations.instrumentor import Instrumentor
from agentguard_integrations.llamaindex.answers import patch_chat_responses
from agentguard_integrations.llamaindex.classes import Classes
from agentguard_integrations.llamaindex.embeddings import EMBEDDING_METHODS
from agentguard_integrations.llamaindex.engines import (
    CHAT_ENGINE_METHODS,
    patch_indices,
    patch_pipelines,
    patch_query_engines,
    patch_retrievers,
)
from agentguard_integrations.llamaindex.models import MODEL_METHODS
from agentguard_integrations.llamaindex.steps import patch_steps
from agentguard_integrations.llamaindex.tools import (
    ASYNC_TOOL_METHODS,
    TOOL_METHODS,
    patch_function_tools,
    patch_tool_calls,
)
from agentguard_integrations.llamaindex.workflows import patch_handlers, patch_workflows
from agentguard_integrations.patches import Patches

__all__ = ["LlamaIndexInstrumentor"]


class LlamaIndexInstrumentor(Instrumentor):
    """Traces and guards `llama_index.core`, and the workflows that its agents are.

    A model call through a client that is known makes one span, whoever else traces that client.
    """

    requires = ("llama-index-core >= 0.14", "llama-index-workflows >= 2.14")
    supersedes = ("llama_index", "llamaindex")

    def patch(self, patches: Patches) -> None:
        """Wrap the methods of the base classes, and of the classes below them."""
        classes = Classes(patches)
        core = "llama_index.core"
        classes.cover(f"{core}.base.llms.base", "BaseLLM", MODEL_METHODS)
        classes.cover(f"{core}.base.embeddings.base", "BaseEmbedding", EMBEDDING_METHODS)
        classes.cover(f"{core}.chat_engine.types", "BaseChatEngine", CHAT_ENGINE_METHODS)
        classes.cover(f"{core}.tools.types", "AsyncBaseTool", ASYNC_TOOL_METHODS)
        classes.cover(f"{core}.tools.types", "BaseTool", TOOL_METHODS)
        patches.on_import("llama_index_instrumentation", classes.watch)
        patches.on_import(f"{core}.chat_engine.types", patch_chat_responses(patches))
        patches.on_import(f"{core}.base.base_query_engine", patch_query_engines(patches))
        patches.on_import(f"{core}.base.base_retriever", patch_retrievers(patches))
        patches.on_import(f"{core}.indices.base", patch_indices(patches))
        patches.on_import(f"{core}.ingestion.pipeline", patch_pipelines(patches))
        patches.on_import(f"{core}.tools.calling", patch_tool_calls(patches))
        patches.on_import(f"{core}.tools.function_tool", patch_function_tools(patches))
        patches.on_import("workflows.workflow", patch_workflows(patches))
        patches.on_import("workflows.handler", patch_handlers(patches))
        patches.on_import("workflows.runtime.types.step_function", patch_steps(patches))
