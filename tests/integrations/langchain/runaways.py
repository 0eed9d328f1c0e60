"""Runaway agents of LangChain and LangGraph, also such as catch what stops them."""

from __future__ import annotations

import asyncio
import operator
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain.agents import middleware as middlewares
from langchain_core.runnables import RunnableLambda, RunnableParallel
from langchain_core.tools import tool
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import RetryPolicy, Send

from agentguard_integrations.langchain import LangChainInstrumentor
from tests.integrations import driving
from tests.integrations.driving import TURNS, Provider, main
from tests.integrations.langchain.models import openai_model, plain_model

LangChainInstrumentor().instrument()

LIMIT = {"recursion_limit": 2 * TURNS}
ASKED = {"messages": [{"role": "user", "content": "What is new about otters?"}]}


@tool
def search(query: str) -> str:
    """Search the library for a query."""
    return driving.search(query)


def _turns(at: Provider, count: int = TURNS) -> Iterator[int]:
    """Numbers of turns, with a moment between: a deadline shall come before they are through."""
    for turn in range(count):
        yield turn
        time.sleep(0.03 * TURNS / count if at.guard == "deadline" else 0)


def _agent(at: Provider, **options: Any) -> Any:
    return create_agent(openai_model(at), [search], name="librarian", **options)


def sync(at: Provider) -> None:
    """`create_agent`, whose model never has enough."""
    _agent(at).invoke(ASKED, LIMIT)


def stream(at: Provider) -> None:
    """The same, its steps and its model's words read as they come."""
    for _ in _agent(at).stream(ASKED, LIMIT, stream_mode=["updates", "messages"]):
        pass


async def asynchronous(at: Provider) -> None:
    """The same in a task."""
    await _agent(at).ainvoke(ASKED, LIMIT)


async def async_stream(at: Provider) -> None:
    """The same, streamed."""
    async for _ in _agent(at).astream(ASKED, LIMIT, stream_mode=["updates", "messages"]):
        pass


def retried_by_middleware(at: Provider) -> None:
    """The same, with middleware that tries again, answers in a model's stead, or asks another."""
    _agent(
        at,
        middleware=[
            middlewares.ModelRetryMiddleware(max_retries=5, initial_delay=2.0),
            middlewares.ToolRetryMiddleware(max_retries=5, initial_delay=2.0),
            middlewares.ModelFallbackMiddleware(openai_model(at)),
        ],
    ).invoke(ASKED, LIMIT)


def without_client(at: Provider) -> None:
    """The same, with a model that is called through no client that is known."""
    create_agent(plain_model(at), [search], name="librarian").invoke(ASKED, LIMIT)


def _graph(at: Provider, retry: RetryPolicy | None = None) -> Any:
    model = openai_model(at).bind_tools([search])

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [model.invoke(state["messages"])]}

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask, retry_policy=retry)
    graph.add_node("tools", ToolNode([search], handle_tool_errors=True))
    graph.add_edge(START, "ask")
    graph.add_conditional_edges("ask", tools_condition)
    graph.add_edge("tools", "ask")
    return graph.compile(name="research")


def tool_errors_handled(at: Provider) -> None:
    """A graph by hand that tells its model of whatever goes wrong in a tool."""
    _graph(at).invoke(ASKED, LIMIT)


def nodes_retried(at: Provider) -> None:
    """A graph by hand whose node is tried again, whatever it failed with."""
    policy = RetryPolicy(max_attempts=5, initial_interval=2.0, retry_on=Exception)
    _graph(at, policy).invoke(ASKED, LIMIT)


def with_retry(at: Provider) -> None:
    """A model that is tried again, in a loop."""
    model = openai_model(at).with_retry(stop_after_attempt=5)
    for turn in _turns(at):
        model.invoke(at.question(turn))


def with_fallbacks(at: Provider) -> None:
    """A model with others to fall back to, in a loop."""
    model = openai_model(at).with_fallbacks([openai_model(at), plain_model(at)])
    for turn in _turns(at):
        model.invoke(at.question(turn))


def swallowed(at: Provider) -> None:
    """A chain whose own code catches everything and goes on."""
    model = openai_model(at)

    def ask(turn: int) -> str:
        try:
            return str(model.invoke(at.question(turn)).content)
        except Exception as problem:  # noqa: BLE001 - the point of it
            return str(problem)

    chain = RunnableLambda(ask) | (lambda text: text)
    for turn in _turns(at):
        chain.invoke(turn)


class _Lanes(TypedDict):
    turn: int
    said: Annotated[list[str], operator.add]


def _sends(at: Provider) -> Any:
    model = openai_model(at)

    def work(state: dict[str, int]) -> dict[str, Any]:
        return {"said": [model.invoke(at.question(state["turn"])).content]}

    # LangGraph cancels tasks that are under way when one fails, and what they asked is answered
    # to nobody: so they ask together, and as many as the budget has calls.
    together = asyncio.Barrier(4)

    async def work_async(state: dict[str, int]) -> dict[str, Any]:
        await together.wait()
        return {"said": [(await model.ainvoke(at.question(state["turn"]))).content]}

    def plan(state: _Lanes) -> dict[str, int]:
        time.sleep(0.1)
        return {"turn": state["turn"] + 1}

    def spread(state: _Lanes) -> list[Send] | str:
        turn = state["turn"]
        return [Send("work", {"turn": 4 * turn + lane}) for lane in range(4)]

    def again(state: _Lanes) -> str:
        return END if state["turn"] > TURNS // 4 else "plan"

    graph = StateGraph(_Lanes)
    graph.add_node("plan", plan)
    graph.add_node("work", RunnableLambda(work, work_async))
    graph.add_node("gather", lambda state: {})
    graph.add_edge(START, "plan")
    graph.add_conditional_edges("plan", spread, ["work"])
    graph.add_edge("work", "gather")
    graph.add_conditional_edges("gather", again, ["plan", END])
    return graph.compile(name="lanes")


def parallel_sends(at: Provider) -> None:
    """A graph that has four of its nodes work at once, round after round."""
    _sends(at).invoke({"turn": 0, "said": []}, LIMIT)


async def async_parallel_sends(at: Provider) -> None:
    """The same in tasks."""
    await _sends(at).ainvoke({"turn": 0, "said": []}, LIMIT)


def parallel_branches(at: Provider) -> None:
    """`RunnableParallel`, again and again."""
    model = openai_model(at)
    branches = RunnableParallel(
        {f"lane {lane}": RunnableLambda(at.question) | model for lane in range(3)}
    )
    for turn in _turns(at, TURNS // 3):
        branches.invoke(turn)


def parallel_batch(at: Provider) -> None:
    """`batch`, with what fails among what it gives back."""
    model = openai_model(at)
    for turn in _turns(at, TURNS // 4):
        model.batch([at.question(4 * turn + lane) for lane in range(4)], return_exceptions=True)


FORMS = {
    "sync": sync,
    "stream": stream,
    "async": asynchronous,
    "async stream": async_stream,
    "retried by middleware": retried_by_middleware,
    "without client": without_client,
    "tool errors handled": tool_errors_handled,
    "nodes retried": nodes_retried,
    "with retry": with_retry,
    "with fallbacks": with_fallbacks,
    "swallowed": swallowed,
    "parallel sends": parallel_sends,
    "async parallel sends": async_parallel_sends,
    "parallel branches": parallel_branches,
    "parallel batch": parallel_batch,
}
if not hasattr(middlewares, "ModelRetryMiddleware"):  # before LangChain 1.1
    del FORMS["retried by middleware"]
if __name__ == "__main__":
    # What the libraries import at their first call shall not count against a deadline.
    with suppress(Exception):
        _agent(Provider("http://127.0.0.1:9/v1", "none", "loop")).invoke(ASKED)
    main(FORMS)
