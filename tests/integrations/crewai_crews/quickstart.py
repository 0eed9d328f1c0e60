"""CrewAI's quick start (docs.crewai.com, "Quickstart"): a flow that runs a crew with a researcher.

Adapted in its addresses: the model's comes from the environment, and the search tool, which would
need an account, finds what is written here. Otherwise its classes, steps and settings are the same.
"""

from __future__ import annotations

import contextlib
import tempfile
from typing import Any

from crewai import Agent, Crew, Process, Task
from crewai.agents.agent_builder.base_agent import BaseAgent
from crewai.flow import Flow, listen, start
from crewai.project import CrewBase, agent, crew, task
from crewai.tools import BaseTool
from pydantic import BaseModel


class SerperDevTool(BaseTool):
    """Stands in for the tool of that name, which asks serper.dev."""

    name: str = "Search the internet with Serper"
    description: str = "Search the internet."

    def _run(self, search_query: str) -> str:
        return f"Three articles about {search_query}."


@CrewBase
class ResearchCrew:
    """A crew with one agent."""

    agents: list[BaseAgent]
    tasks: list[Task]

    agents_config = "config/agents.yaml"
    tasks_config = "config/tasks.yaml"

    @agent
    def researcher(self) -> Agent:
        return Agent(config=self.agents_config["researcher"], verbose=True, tools=[SerperDevTool()])

    @task
    def research_task(self) -> Task:
        return Task(config=self.tasks_config["research_task"])

    @crew
    def crew(self) -> Crew:
        return Crew(agents=self.agents, tasks=self.tasks, process=Process.sequential, verbose=True)


class ResearchFlowState(BaseModel):
    """What the steps of the flow tell each other."""

    topic: str = ""
    report: str = ""


class LatestAiFlow(Flow[ResearchFlowState]):
    """A topic, a crew that researches it, a report."""

    @start()
    def prepare_topic(self, crewai_trigger_payload: Any = None) -> None:
        given = crewai_trigger_payload or {}
        self.state.topic = given.get("topic", "AI Agents")

    @listen(prepare_topic)
    def run_research(self) -> None:
        result = ResearchCrew().crew().kickoff(inputs={"topic": self.state.topic})
        self.state.report = result.raw

    @listen(run_research)
    def summarize(self) -> None:
        print(f"Report of {len(self.state.report)} characters: output/report.md")


if __name__ == "__main__":
    # The report is written where the program runs: not among the sources.
    with tempfile.TemporaryDirectory() as directory, contextlib.chdir(directory):
        flow = LatestAiFlow()
        flow.kickoff()
