"""Where CrewAI is wrapped: the real methods, as its event bus runs in threads of its own.

A handler of the bus cannot refuse anything either: whatever it raises is swallowed there.
"""

from __future__ import annotations

from typing import Any

from agentguard_integrations.crewai import agents, entries, memory, models, tools
from agentguard_integrations.instrumentor import Instrumentor
from agentguard_integrations.patches import Patches

__all__ = ["CrewAIInstrumentor"]


class CrewAIInstrumentor(Instrumentor):
    """Traces and stops crews, flows, and agents on their own.

    `invoke_workflow {crew}`, `task {name}`, `invoke_agent {role}`, `execute_tool {name}`,
    `retrieval memory`, and `chat {model}` where the model's client has no span of its own.
    """

    requires = ("crewai >= 1.15.15",)
    supersedes = ("crewai",)

    def patch(self, patches: Patches) -> None:
        """Wrap what is imported of CrewAI, and the rest when it is."""
        for module, patch in (
            ("crewai.crew", _crew),
            ("crewai.flow.runtime", _flow),
            ("crewai.task", _task),
            ("crewai.agent.core", _agent),
            ("crewai.lite_agent", _lite_agent),
            ("crewai.agents.agent_executor", _executor),
            ("crewai.experimental.agent_executor", _executor),
            ("crewai.agents.crew_agent_executor", _crew_executor),
            ("crewai.agents.step_executor", _step_executor),
            ("crewai.tools.tool_usage", _tool_usage),
            ("crewai.tools.base_tool", _tool),
            ("crewai.tools.structured_tool", _structured_tool),
            ("crewai.llms.base_llm", models.patch),
            ("crewai.llms.retry", _retry),
            ("crewai.memory.unified_memory", _memory),
            ("crewai.knowledge.knowledge", _knowledge),
        ):
            patches.on_import(module, _with(patches, patch))


def _with(patches: Patches, patch: Any) -> Any:
    return lambda module: patch(patches, module)


def _crew(patches: Patches, module: Any) -> None:
    patches.wrap(module.Crew, "kickoff", entries.kickoff)
    patches.wrap(module.Crew, "replay", entries.kickoff)
    patches.wrap(module.Crew, "akickoff", entries.akickoff)
    patches.wrap(module.Crew, "kickoff_async", entries.kickoff_async)
    patches.wrap(module.Crew, "kickoff_for_each", entries.for_each)
    patches.wrap(module.Crew, "kickoff_for_each_async", entries.for_each_async)
    patches.wrap(module.Crew, "akickoff_for_each", entries.for_each_async)


def _flow(patches: Patches, module: Any) -> None:
    patches.wrap(module.Flow, "kickoff_async", entries.flow)
    patches.wrap(module.Flow, "resume_async", entries.flow)
    patches.wrap(module.Flow, "_execute_method", entries.flow_method)


def _task(patches: Patches, module: Any) -> None:
    patches.wrap(module.Task, "execute_async", agents.execute_async)
    patches.wrap(module.Task, "_execute_core", agents.task)
    patches.wrap(module.Task, "_aexecute_core", agents.task_async)


def _agent(patches: Patches, module: Any) -> None:
    patches.wrap(module.Agent, "execute_task", agents.execute_task)
    patches.wrap(module.Agent, "aexecute_task", agents.execute_task_async)
    patches.wrap(module.Agent, "_check_execution_error", agents.failed)
    patches.wrap(module.Agent, "kickoff", entries.agent)
    patches.wrap(module.Agent, "kickoff_async", entries.agent_async)


def _lite_agent(patches: Patches, module: Any) -> None:
    patches.wrap(module.LiteAgent, "kickoff", entries.lite_agent)


def _executor(patches: Patches, module: Any) -> None:
    patches.wrap(module.AgentExecutor, "_execute_single_native_tool_call", tools.named_call)


def _crew_executor(patches: Patches, module: Any) -> None:
    patches.wrap(module.CrewAgentExecutor, "_execute_single_native_tool_call", tools.named_call)


def _step_executor(patches: Patches, module: Any) -> None:
    patches.wrap(module, "execute_single_native_tool_call", tools.named_call)


def _tool_usage(patches: Patches, module: Any) -> None:
    patches.wrap(module.ToolUsage, "use", tools.use)
    patches.wrap(module.ToolUsage, "ause", tools.use_async)


def _tool(patches: Patches, module: Any) -> None:
    for owner in (module.BaseTool, module.Tool):
        patches.wrap(owner, "run", tools.run)
        patches.wrap(owner, "arun", tools.run_async)


def _structured_tool(patches: Patches, module: Any) -> None:
    patches.wrap(module.CrewStructuredTool, "invoke", tools.invoke)
    patches.wrap(module.CrewStructuredTool, "ainvoke", tools.invoke_async)


def _retry(patches: Patches, module: Any) -> None:
    patches.wrap(module._ThrottlingErrorClassifier, "is_throttling_error", models.is_throttling)


def _memory(patches: Patches, module: Any) -> None:
    patches.wrap(module.Memory, "recall", memory.recall)
    patches.wrap(module.Memory, "extract_memories", memory.extract)
    patches.wrap(module.Memory, "_encode_batch", memory.encode)


def _knowledge(patches: Patches, module: Any) -> None:
    patches.wrap(module.Knowledge, "query", memory.query)
    patches.wrap(module.Knowledge, "aquery", memory.query_async)
