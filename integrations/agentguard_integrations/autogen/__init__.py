"""AutoGen (`autogen-agentchat`, which `pyautogen` stands for since 0.10): agents, teams, tools.

    invoke_workflow {team}
      invoke_agent {agent}
        chat {model}
        execute_tool {tool}

AutoGen makes spans of its own, with the process's tracer provider. Those of agents and tools are
replaced: they know no arguments and results, leave their span current in whoever reads a stream,
and what a guard refuses at their start leaves some of AutoGen's loops waiting for ever. Those of
the messages by which a team works are left out; in other runtimes than a team's they stay.
"""

from agentguard_integrations.autogen import agents, models, native, teams, tools
from agentguard_integrations.instrumentor import Instrumentor
from agentguard_integrations.patches import Patches

__all__ = ["AutoGenInstrumentor"]


class AutoGenInstrumentor(Instrumentor):
    """Traces and guards agents, teams, tools, handoffs, and model clients of any provider."""

    requires = ("autogen-agentchat >= 0.7", "autogen-core >= 0.7")
    supersedes = ("autogen", "autogen_agentchat")

    def patch(self, patches: Patches) -> None:
        """Wrap what runs; the model clients of `openai` and `anthropic` have spans of their own."""
        native.patch(patches)
        models.patch(patches)
        tools.patch(patches)
        agents.patch(patches)
        teams.patch(patches)
