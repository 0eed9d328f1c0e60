"""The OpenAI Agents SDK (`openai-agents`): runs, agents, tools, handoffs, guardrails.

structure   the SDK's own traces and spans become spans of ours
tools       what a tool is given, and whether it may run
models      models that are reached by other ways than the `openai` client
entries     what `Runner.run` raises when a guard has stopped it
"""

from agentguard_integrations.instrumentor import Instrumentor
from agentguard_integrations.openai_agents import entries, models, structure, tools
from agentguard_integrations.patches import Patches

__all__ = ["OpenAIAgentsInstrumentor"]


class OpenAIAgentsInstrumentor(Instrumentor):
    """Traces and guards `Runner.run`, `run_sync` and `run_streamed`.

    The SDK's own tracing stays as it is, and may be turned off without losing spans here.
    """

    requires = ("openai-agents >= 0.10",)
    supersedes = ("openai_agents",)

    def patch(self, patches: Patches) -> None:
        """Wrap what the SDK calls; nothing is imported before the program does."""
        patches.on_import("agents.tracing.spans", lambda module: structure.patch(module, patches))
        patches.on_import(
            "agents.tracing.traces", lambda module: structure.patch_traces(module, patches)
        )
        patches.on_import(
            "agents.run_internal.tool_execution", lambda module: tools.patch(module, patches)
        )
        patches.on_import("agents.models.interface", lambda module: models.patch(module, patches))
        patches.on_import("agents.run", lambda module: entries.patch(module, patches))
        patches.on_import("agents.result", lambda module: entries.patch_streams(module, patches))
