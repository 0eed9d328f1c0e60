"""CrewAI: crews, flows, agents, tasks, tools, memory, knowledge, and models where needed."""

from agentguard_integrations.crewai.instrumentor import CrewAIInstrumentor

__all__ = ["CrewAIInstrumentor"]
