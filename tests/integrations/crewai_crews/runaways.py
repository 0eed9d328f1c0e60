"""Crews, flows and agents that go on for ever, and do not mind what fails."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import wait
from contextlib import suppress
from typing import Any

from crewai import LLM, Agent, Crew, Process, Task
from crewai.events.event_bus import crewai_event_bus
from crewai.flow.flow import Flow, listen, start
from crewai.tools import tool

import agentguard
from agentguard.demo.provider import ProviderServer
from agentguard.demo.provider.conversation import Answer, Conversation, echo, tool_call
from agentguard_integrations.crewai import CrewAIInstrumentor
from tests.integrations import driving
from tests.integrations.driving import Provider, main

CrewAIInstrumentor().instrument()
# CrewAI says at each call that it only estimates tokens, and at each refusal what was refused.
logging.disable(logging.CRITICAL)

MODEL = "gpt-4o-mini"
INPUTS = {"animal": "otters"}


class Pace:
    """CrewAI does much before its first request: on a busy machine a deadline has to be longer."""

    deadline = 0.6
    tool = 0.0


@tool("search")
def search(query: str) -> str:
    """Search the library."""
    time.sleep(Pace.tool)
    return driving.search(query)


@tool("search")
def closed_search(query: str) -> str:
    """Search a library that is closed."""
    time.sleep(Pace.tool)
    raise ConnectionError(f"The library is closed: {query}")


def _llm(at: Provider, model: str = MODEL) -> Any:
    # However fast it is then, an agent has not more than fifteen turns before its deadline.
    Pace.tool = Pace.deadline / 15 if at.guard == "deadline" else 0.0
    return LLM(model=model, base_url=at.base_url, api_key=at.api_key)


def _agent(at: Provider, role: str = "Researcher", **options: Any) -> Agent:
    return Agent(
        role=role,
        goal="Find out what is new about otters",
        backstory="You never give up.",
        **{"llm": _llm(at), "tools": [search], "max_iter": 40, **options},
    )


def _task(agent: Agent | None, **options: Any) -> Task:
    return Task(
        **{"name": "research", **options},
        description="Find out what is new about {animal}.",
        expected_output="One sentence.",
        agent=agent,
    )


def _crew(at: Provider, *, stream: bool = False, **options: Any) -> Crew:
    agent = _agent(at, **options)
    return Crew(name="otters", agents=[agent], tasks=[_task(agent)], stream=stream)


def sync(at: Provider) -> None:
    """One crew, one agent, one tool."""
    _crew(at).kickoff(INPUTS)


def stream(at: Provider) -> None:
    """The same, read piece by piece."""
    for _ in _crew(at, stream=True).kickoff(INPUTS):
        pass


async def asynchronous(at: Provider) -> None:
    """The same in a thread beside the loop."""
    await _crew(at).kickoff_async(INPUTS)


async def native(at: Provider) -> None:
    """The same in coroutines."""
    await _crew(at).akickoff(INPUTS)


async def async_stream(at: Provider) -> None:
    """The same, streamed."""
    async for _ in await _crew(at, stream=True).akickoff(INPUTS):
        pass


def _at_once(at: Provider) -> Crew:
    llm = _llm(at)
    agents = [_agent(at, f"Researcher {number}", llm=llm) for number in range(2)]
    tasks = [_task(agent, async_execution=True) for agent in agents]
    last = Task(name="sum up", description="Sum up.", expected_output="A word.", agent=agents[0])
    return Crew(agents=agents, tasks=[*tasks, last])


def parallel(at: Provider) -> None:
    """Two tasks at once, each in its thread."""
    _at_once(at).kickoff(INPUTS)


async def parallel_native(at: Provider) -> None:
    """Two tasks at once, in coroutines."""
    await _at_once(at).akickoff(INPUTS)


async def parallel_crews(at: Provider) -> None:
    """Two crews at once, in threads beside the loop."""
    await _crew(at).kickoff_for_each_async([INPUTS] * 2)


def hierarchical(at: Provider) -> None:
    """A manager that delegates to an agent that goes on for ever."""
    worker = _agent(at)
    Crew(
        agents=[worker],
        tasks=[_task(None)],
        process=Process.hierarchical,
        manager_agent=_agent(at, "Manager", tools=[]),
    ).kickoff(INPUTS)


def again_and_again(at: Provider) -> None:
    """A tool that fails, an agent that tries twice more, and a caller that catches everything."""
    crew = _crew(at, tools=[closed_search], max_retry_limit=5, max_execution_time=20)
    for _ in range(10):
        with suppress(Exception):
            crew.kickoff(INPUTS)
    crew.kickoff(INPUTS)


def text(at: Provider) -> None:
    """A model that writes about its tools in text; CrewAI tries each call that fails again."""
    _crew(at, tools=[closed_search], llm=_llm(at, "o1-mini")).kickoff(INPUTS)


def alone(at: Provider) -> None:
    """An agent without a crew."""
    _agent(at).kickoff("What is new about otters?")


def _rounds(at: Provider) -> Any:
    """A flow that asks its agent again after each answer, and after each failure."""
    agent = _agent(at)

    class Rounds(Flow):  # type: ignore[misc, type-arg]
        # What a flow's memory needs takes seconds to be imported.
        _skip_auto_memory: bool = True

        @start()
        def begin(self) -> str:
            return "begin"

        @listen(begin)
        async def ask(self) -> str:
            for _ in range(5):
                with suppress(Exception):
                    await agent.kickoff_async("What is new about otters?")
            return "asked"

        @listen(ask)
        def ask_a_crew(self) -> Any:
            return _crew(at).kickoff(INPUTS)

    return Rounds()


def flow(at: Provider) -> None:
    """A flow that catches what its agent raises, and asks it again."""
    _rounds(at).kickoff()


async def async_flow(at: Provider) -> None:
    """The same in the loop that runs."""
    await _rounds(at).kickoff_async()


FORMS = {
    "sync": sync,
    "stream": stream,
    "async": asynchronous,
    "native async": native,
    "async stream": async_stream,
    "parallel": parallel,
    "parallel crews": parallel_crews,
    "parallel native": parallel_native,
    "hierarchical": hierarchical,
    "again and again": again_and_again,
    "text": text,
    "alone": alone,
    "flow": flow,
    "async flow": async_flow,
}


def runaway(guard: str) -> Callable[[Conversation], Answer]:
    """`driving.runaway`, which also delegates, and asks for tools in text."""
    otherwise = driving.runaway(guard)

    def answer(conversation: Conversation) -> Answer:
        delegate = next((name for name in conversation.tools if "delegate" in name), None)
        turn = conversation.count("assistant")
        query = "otters" if guard == "loop" else f"otters, part {turn}"
        if delegate is not None:
            given = {"task": query, "context": "none", "coworker": "Researcher"}
            return Answer(tool_calls=(tool_call(conversation, delegate, given),))
        if not conversation.tools:
            asked = json.dumps({"query": query})
            return Answer(f"Thought: go on\nAction: search\nAction Input: {asked}")
        return otherwise(conversation)

    return answer


def _warm_up() -> float:
    """Have CrewAI make the threads that it keeps, and import what it imports when it is used first.

    Returns how many seconds it takes for one crew and two requests here and now.
    """
    with ProviderServer(echo) as server:
        at = Provider(server.base_url, server.api_key, "budget")
        _rounds(at)
        asyncio.run(asynchronous(at))
        pool = crewai_event_bus._sync_executor
        at_once = threading.Barrier(pool._max_workers)
        wait([pool.submit(at_once.wait) for _ in range(pool._max_workers)])
        began = time.monotonic()
        sync(at)
        return time.monotonic() - began


if __name__ == "__main__":
    Pace.deadline = min(max(0.6, 4 * _warm_up()), 2.5)
    # Python collects all of CrewAI at its exit, which takes seconds with or without a run before.
    gc.freeze()
    driving.GUARDS["deadline"] = lambda: agentguard.TimeoutGuard(max_seconds=Pace.deadline)
    main(FORMS, runaway)
