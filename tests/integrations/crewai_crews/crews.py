"""What the scenarios are made of: one agent, one task, one tool, models of several kinds."""

from __future__ import annotations

from typing import Any

from crewai import LLM, Agent, BaseLLM, Crew, Task
from crewai.agent.core import Agent as AgentClass
from crewai.flow.flow import Flow
from crewai.knowledge.knowledge import Knowledge
from crewai.lite_agent import LiteAgent
from crewai.llms.base_llm import BaseLLM as ModelClass
from crewai.llms.providers.openai.completion import OpenAICompletion
from crewai.memory.unified_memory import Memory
from crewai.task import Task as TaskClass
from crewai.tools import BaseTool
from crewai.tools.structured_tool import CrewStructuredTool
from crewai.tools.tool_usage import ToolUsage

from agentguard.demo.provider import ProviderServer
from agentguard_integrations.crewai import CrewAIInstrumentor

instrumentor = CrewAIInstrumentor()

_OWNERS = (
    Crew,
    Flow,
    TaskClass,
    AgentClass,
    LiteAgent,
    BaseTool,
    CrewStructuredTool,
    ToolUsage,
    ModelClass,
    OpenAICompletion,
    Memory,
    Knowledge,
)


def wrapped_now() -> dict[str, Any]:
    """Whatever the classes hold now, by class and name."""
    return {
        f"{owner.__name__}.{name}": value
        for owner in _OWNERS
        for name, value in vars(owner).items()
        if callable(value) or isinstance(value, (classmethod, staticmethod))
    }


def search(calls: list[str] | None = None, *, fails: bool = False) -> BaseTool:
    """A tool called `search`, which notes what it is asked for."""

    class Search(BaseTool):  # type: ignore[misc]
        name: str = "search"
        description: str = "Search the library."

        def _run(self, query: str) -> str:
            if calls is not None:
                calls.append(query)
            if fails:
                raise ConnectionError("The library is closed.")
            return f"Something about {query}."

    tool: BaseTool = Search()
    return tool


def llm_at(server: ProviderServer, model: str = "gpt-4o-mini") -> Any:
    """CrewAI's own class for OpenAI's models."""
    return LLM(model=model, base_url=server.base_url, api_key=server.api_key)


class Parrot(BaseLLM):  # type: ignore[misc]
    """A model of the user's own: no client, no protocol."""

    endless: bool = False
    fails: int = 0

    def call(self, messages: Any, tools: Any = None, *args: Any, **kwargs: Any) -> Any:
        """Asks for its tool, once or for ever."""
        if self.fails:
            self.fails -= 1
            raise ValueError("The parrot sleeps.")
        self._track_token_usage_internal(
            {"prompt_tokens": 7, "completion_tokens": 3, "prompt_tokens_details": {}}
        )
        is_told = any(message["role"] == "tool" for message in messages)
        if not tools or (is_told and not self.endless):
            return "Polly knows."
        function = {"name": "search", "arguments": '{"query": "otters"}'}
        return [{"id": "call_1", "type": "function", "function": function}]

    def supports_function_calling(self) -> bool:
        """It does."""
        return True


def crew_of(llm: Any, *, task: dict[str, Any] | None = None, **options: Any) -> Crew:
    """A crew called `otters`, whose researcher has one task and one tool."""
    agent = Agent(
        role="Researcher",
        goal="Find out what is new",
        backstory="You never give up.",
        llm=llm,
        tools=options.pop("tools", None) or [search()],
    )
    asked = {
        "name": "research",
        "description": "Find out what is new about otters.",
        "expected_output": "One sentence.",
        **(task or {}),
    }
    return Crew(name="otters", agents=[agent], tasks=[Task(agent=agent, **asked)], **options)
