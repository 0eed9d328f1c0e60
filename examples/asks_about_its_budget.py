"""An agent that asks what it may still spend, and changes to a cheaper model in time.

    agentguard budgets set research --usd 0.05
    export AGENTGUARD_ENDPOINT=http://127.0.0.1:4318 AGENTGUARD_API_KEY=YOUR_KEY
    python examples/asks_about_its_budget.py

Needs `langgraph`, `langchain-openai` and `mcp` 2.x, and a key with the scopes ingest and read. The
agent is given AgentGuard's MCP tools beside its own, and its model decides when to use them. What
check_budget advises decides which model goes on: at 80% of the budget it is the cheaper one. The
model is a local server that speaks OpenAI's protocol and follows a script; with `ChatOpenAI(model)`
in its place, and OPENAI_API_KEY set, it is the real one.
"""

import asyncio
import json
import os
from typing import Annotated, Any, TypedDict

import httpx2
from langchain_core.tools import BaseTool, StructuredTool
from langchain_openai import ChatOpenAI
from langgraph.graph import END, START, StateGraph
from langgraph.graph.message import add_messages
from langgraph.prebuilt import ToolNode
from mcp import Client
from mcp.client.streamable_http import streamable_http_client

import agentguard
from agentguard.demo.provider import ProviderServer
from agentguard.demo.provider.conversation import Answer, Conversation, tool_call
from agentguard_integrations.langchain import LangChainInstrumentor

BUDGET = "research"
DEAR, CHEAP = "gpt-4o", "gpt-4o-mini"
PAGES = 12
TASK = f"Read the {PAGES} pages of the report, minding the budget {BUDGET!r}, and sum them up."


class Research(TypedDict):
    """The conversation, and the model that goes on with it."""

    messages: Annotated[list[Any], add_messages]
    model: str


def read_page(number: int) -> str:
    """Read one page of the report."""
    return f"Page {number}: " + "sea otters hold hands while they sleep. " * 40


def script(said: Conversation) -> Answer:
    """What the local model answers: it asks about its budget, reads on, and sums up at the end."""
    turn = said.count("assistant")
    if turn >= PAGES:
        return Answer("Answer: sea otters hold hands, on every page.")
    check = tool_call(said, "check_budget", {"name": BUDGET})
    return Answer(tool_calls=(check, tool_call(said, "read_page", {"number": turn + 1})))


async def mcp_tools(client: Client) -> list[BaseTool]:
    """The tools of an MCP server as LangChain has them; structured output is the artifact."""

    def made(name: str, description: str, schema: dict[str, Any]) -> BaseTool:
        async def call(**arguments: Any) -> tuple[str, Any]:
            result = await client.call_tool(name, arguments)
            text = "\n".join(getattr(block, "text", "") for block in result.content)
            return text, result.structured_content

        return StructuredTool(
            name=name,
            description=description,
            args_schema=schema,
            coroutine=call,
            response_format="content_and_artifact",
        )

    listing = await client.list_tools()
    return [made(each.name, each.description or "", each.input_schema) for each in listing.tools]


def agent(tools: list[BaseTool], base_url: str, api_key: str) -> Any:
    """A graph that thinks, acts, and then looks at what it was advised."""
    models = {
        name: ChatOpenAI(model=name, base_url=base_url, api_key=api_key).bind_tools(tools)
        for name in (DEAR, CHEAP)
    }

    async def think(state: Research) -> dict[str, Any]:
        return {"messages": [await models[state["model"]].ainvoke(state["messages"])]}

    def choose(state: Research) -> dict[str, Any]:
        for message in reversed(state["messages"]):
            if getattr(message, "name", "") == "check_budget" and message.artifact:
                found = message.artifact
                print(f"{state['model']}: {found['advice']}, {found['reason']}")
                return {"model": {"go_on": DEAR, "slow_down": CHEAP}.get(found["advice"], "")}
        return {}

    graph = StateGraph(Research)
    graph.add_node("think", think)
    graph.add_node("act", ToolNode(tools))
    graph.add_node("choose", choose)
    graph.add_edge(START, "think")
    graph.add_conditional_edges(
        "think", lambda state: "act" if state["messages"][-1].tool_calls else END, ["act", END]
    )
    graph.add_edge("act", "choose")
    graph.add_conditional_edges(
        "choose", lambda state: "think" if state["model"] else END, ["think", END]
    )
    return graph.compile()


async def research(provider: ProviderServer) -> str:
    """Do the task as a run whose calls are paid from the shared budget."""
    endpoint, key = os.environ["AGENTGUARD_ENDPOINT"], os.environ["AGENTGUARD_API_KEY"]
    async with httpx2.AsyncClient(headers={"Authorization": f"Bearer {key}"}) as http:
        transport = streamable_http_client(f"{endpoint}/mcp", http_client=http)
        async with Client(transport) as client:
            tools = [StructuredTool.from_function(read_page), *await mcp_tools(client)]
            graph = agent(tools, provider.base_url, provider.api_key)
            with agentguard.run("research", guards=[agentguard.BudgetGuard(shared=BUDGET)]):
                asked = {"messages": [("user", TASK)], "model": DEAR}
                done = await graph.ainvoke(asked, {"recursion_limit": 4 * PAGES})
    return str(done["messages"][-1].content)


def main() -> None:
    """Do it, and say which models were asked."""
    tracing = agentguard.init(service_name="asks-about-its-budget")
    LangChainInstrumentor().instrument()
    with ProviderServer(script) as provider:
        print(asyncio.run(research(provider)))
        print(json.dumps({"models": [each.model for each in provider.requests()]}))
    tracing.flush()


if __name__ == "__main__":
    main()
