"""AutoGen's agents and teams, running away; many of them catch whatever stops them.

AutoGen is async only: a program that is not calls `asyncio.run`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

import openai
from autogen_agentchat.agents import AssistantAgent, BaseChatAgent
from autogen_agentchat.base import Response
from autogen_agentchat.messages import TextMessage
from autogen_agentchat.teams import (
    MagenticOneGroupChat,
    RoundRobinGroupChat,
    SelectorGroupChat,
    Swarm,
)
from autogen_agentchat.tools import AgentTool
from autogen_core.models import ModelInfo
from autogen_ext.models.openai import OpenAIChatCompletionClient

from agentguard_integrations.autogen import AutoGenInstrumentor
from tests.integrations.driving import TURNS, Provider, main, search

AutoGenInstrumentor().instrument()

# What AutoGen logs of the exceptions that pass by.
logging.getLogger("autogen_core").setLevel(logging.CRITICAL)

# With its date, as AutoGen warns when the answer's model is not called as the one it expects.
MODEL = "gpt-4o-mini-2024-07-18"


@asynccontextmanager
async def _client(at: Provider, **more: Any) -> AsyncIterator[OpenAIChatCompletionClient]:
    client = OpenAIChatCompletionClient(
        model=MODEL,
        base_url=at.base_url,
        api_key=at.api_key,
        # Half of the time that a client takes to be made goes into its certificates.
        http_client=openai.DefaultAsyncHttpxClient(verify=False),
        **more,
    )
    try:
        yield client
    finally:
        await client.close()


def _assistant(client: Any, name: str = "assistant", **more: Any) -> AssistantAgent:
    return AssistantAgent(name, client, **{"tools": [search], **more})


async def _read(stream: Any) -> None:
    async for _ in stream:
        pass


def sync(at: Provider) -> None:
    """One agent that uses its tool again and again, in a program that is not async."""

    async def run() -> None:
        async with _client(at) as client:
            await _assistant(client, max_tool_iterations=TURNS).run(task=at.question(0))

    asyncio.run(run())


async def asynchronous(at: Provider) -> None:
    """The same agent in a task."""
    async with _client(at) as client:
        await _assistant(client, max_tool_iterations=TURNS).run(task=at.question(0))


async def stream(at: Provider) -> None:
    """The same, its messages and its model's answers streamed."""
    async with _client(at) as client:
        agent = _assistant(client, max_tool_iterations=TURNS, model_client_stream=True)
        await _read(agent.run_stream(task=at.question(0)))


async def team(at: Provider) -> None:
    """Two agents in turn, without an end."""
    async with _client(at) as client:
        members = [_assistant(client, "writer"), _assistant(client, "critic")]
        await RoundRobinGroupChat(members).run(task=at.question(0))


async def team_stream(at: Provider) -> None:
    """The same, its messages and its models' answers streamed."""
    async with _client(at) as client:
        members = [_assistant(client, name, model_client_stream=True) for name in ("one", "two")]
        await _read(RoundRobinGroupChat(members).run_stream(task=at.question(0)))


async def selector(at: Provider) -> None:
    """A model says who is next, in a team that is part of another."""
    async with _client(at) as client:
        members = [_assistant(client, "writer"), _assistant(client, "critic")]
        inner = SelectorGroupChat(members, client, allow_repeated_speaker=True)
        await RoundRobinGroupChat([inner]).run(task=at.question(0))


async def swarm(at: Provider) -> None:
    """Two agents that hand over to each other."""
    async with _client(at) as client:
        members = [
            _assistant(client, "alice", tools=[], handoffs=["bob"]),
            _assistant(client, "bob", tools=[], handoffs=["alice"]),
        ]
        await Swarm(members).run(task=at.question(0))


async def magentic(at: Provider) -> None:
    """An orchestrator whose model never gives it the JSON it wants; it is begun anew."""
    plain = ModelInfo(
        vision=False,
        function_calling=True,
        json_output=False,
        structured_output=False,
        family="unknown",
    )
    async with _client(at, model_info=plain) as client:
        for turn in range(TURNS):
            chat = MagenticOneGroupChat([_assistant(client, "writer")], client)
            with suppress(ValueError, RuntimeError):
                await chat.run(task=at.question(turn))


async def agent_tool(at: Provider) -> None:
    """An agent whose tool is an agent: the workbench makes an answer of what that raises."""
    async with _client(at) as client:
        inner = AgentTool(_assistant(client, "inner", max_tool_iterations=3))
        # The model calls the first tool with a query, where this one takes a task.
        inner.args_type().model_fields["task"].validation_alias = "query"
        inner.args_type().model_rebuild(force=True)
        await _assistant(client, tools=[inner], max_tool_iterations=TURNS).run(task=at.question(0))


def _break(query: str) -> str:
    """Search the library, in vain."""
    raise ConnectionError(f"No answer to {query}")


async def failing_tool(at: Provider) -> None:
    """A tool that fails each time, which the agent is told."""
    async with _client(at) as client:
        agent = _assistant(client, tools=[_break], max_tool_iterations=TURNS)
        await agent.run(task=at.question(0))


class Stubborn(BaseChatAgent):
    """An agent around another that goes on whatever happens."""

    def __init__(self, inner: AssistantAgent) -> None:
        super().__init__(f"stubborn_{inner.name}", "Goes on.")
        self._inner = inner

    @property
    def produced_message_types(self) -> tuple[type[TextMessage]]:
        """What it says."""
        return (TextMessage,)

    async def on_messages(self, messages: Any, cancellation_token: Any) -> Response:
        """Say something in any case."""
        try:
            return await self._inner.on_messages(messages, cancellation_token)
        except Exception as error:  # noqa: BLE001 - what this agent is for
            return Response(chat_message=TextMessage(content=f"Hm. {error}", source=self.name))

    async def on_reset(self, cancellation_token: Any) -> None:
        """Nothing is kept."""


async def swallowing(at: Provider) -> None:
    """A team of agents that catch everything and go on."""
    async with _client(at) as client:
        members = [Stubborn(_assistant(client, name)) for name in ("one", "two")]
        await RoundRobinGroupChat(members).run(task=at.question(0))


async def parallel(at: Provider) -> None:
    """Agents and teams at once."""
    async with _client(at) as client:
        runs = [
            _assistant(client, "alone", max_tool_iterations=TURNS).run(task=at.question(0)),
            RoundRobinGroupChat([_assistant(client, "first")]).run(task=at.question(1)),
            _read(RoundRobinGroupChat([_assistant(client, "other")]).run_stream(task="Go on.")),
        ]
        ends = await asyncio.gather(*runs, return_exceptions=True)
    raise next(end for end in ends if isinstance(end, BaseException))


FORMS = {
    "sync": sync,
    "async": asynchronous,
    "stream": stream,
    "team": team,
    "team stream": team_stream,
    "selector": selector,
    "swarm": swarm,
    "magentic": magentic,
    "agent tool": agent_tool,
    "failing tool": failing_tool,
    "swallowing": swallowing,
    "parallel": parallel,
}

if __name__ == "__main__":
    # What is slow the first time shall not be a part of the first run.
    OpenAIChatCompletionClient(model=MODEL, base_url="http://127.0.0.1:9", api_key="-")
    main(FORMS)
