"""Single things that must hold of AutoGen, tried in its own Python; one JSON line says what came.

python -m tests.integrations.autogen.scenarios
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from autogen_agentchat.agents import AssistantAgent, BaseChatAgent, UserProxyAgent
from autogen_agentchat.teams import BaseGroupChat, RoundRobinGroupChat, SelectorGroupChat, Swarm
from autogen_core import (
    AgentId,
    MessageContext,
    RoutedAgent,
    SingleThreadedAgentRuntime,
    message_handler,
)
from autogen_core.models import ChatCompletionClient
from autogen_core.tools import BaseTool
from autogen_ext.models.openai import OpenAIChatCompletionClient
from autogen_ext.models.replay import ReplayChatCompletionClient
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from agentguard.demo.provider import ProviderServer
from agentguard.demo.provider.conversation import Answer, Conversation, echo
from agentguard_integrations.autogen import AutoGenInstrumentor
from agentguard_integrations.openai import OpenAIInstrumentor
from tests.integrations.driving import runaway, search
from tests.integrations.spans import Spans

_memory = InMemorySpanExporter()
MODEL = "gpt-4o-mini-2024-07-18"


def _client(server: ProviderServer, **more: Any) -> OpenAIChatCompletionClient:
    given = {"api_key": server.api_key, **more}
    return OpenAIChatCompletionClient(model=MODEL, base_url=server.base_url, **given)


def _said() -> dict[str, Any]:
    """What was traced since the last time."""
    spans = Spans(_memory.get_finished_spans())
    _memory.clear()
    return {
        "tree": spans.tree(),
        "orphans": spans.orphans(),
        "model_calls": spans.model_calls(),
        "errors": {
            span.name: (span.attributes or {}).get("error.type")
            for span in spans.all
            if not span.status.is_ok and not span.status.is_unset
        },
    }


class Own(ReplayChatCompletionClient):
    """A client of the program's own, whose answers are not from a cache."""

    async def create(self, *args: Any, **kwargs: Any) -> Any:
        """The next answer."""
        result = await super().create(*args, **kwargs)
        return result.model_copy(update={"cached": False})

    async def create_stream(self, *args: Any, **kwargs: Any) -> Any:
        """The next answer, word by word."""
        async for piece in super().create_stream(*args, **kwargs):
            yield piece if isinstance(piece, str) else piece.model_copy(update={"cached": False})


async def provider_of_its_own() -> dict[str, Any]:
    """A client that speaks to no edge of ours, under a budget for two calls, streamed or not."""
    raised = []
    for is_streamed in (False, True):
        client = Own(["One.", "Two, and more.", "Three.", "Four."])
        agent = AssistantAgent("assistant", client, model_client_stream=is_streamed)
        try:
            async with agentguard.run("replayed", guards=[agentguard.BudgetGuard(max_calls=2)]):
                for _ in range(4):
                    await agent.run(task="Go on.")
        except agentguard.BudgetExceeded as error:
            raised.append(type(error).__name__)
    return {"raised": raised, **_said()}


async def alone() -> dict[str, Any]:
    """AutoGen traced, and the `openai` client not."""
    OpenAIInstrumentor().uninstrument()
    try:
        with ProviderServer() as server:
            for is_streamed in (False, True):
                client = _client(server)
                agent = AssistantAgent("assistant", client, model_client_stream=is_streamed)
                await agent.run(task="Hello.")
                await client.close()
            usages = [request.usage for request in server.requests()]
    finally:
        OpenAIInstrumentor().instrument()
    log = sorted((MODEL, u.input, u.cache_read, u.output, u.reasoning) for u in usages if u)
    return {"log": log, **_said()}


async def denied() -> dict[str, Any]:
    """A tool that may not be called, and one that a stopped run may not call in a handoff."""
    policy = agentguard.ToolPolicy(deny=["search"])
    with ProviderServer(runaway("budget")) as server:
        client = _client(server)
        async with agentguard.run("denied", guards=[policy]) as run:
            result = await AssistantAgent("assistant", client, tools=[search]).run(task="Go on.")
        await client.close()
    return {"answer": result.messages[-1].to_text(), "stopped": run.stopped is not None, **_said()}


async def stopped_in_a_handoff() -> dict[str, Any]:
    """A run that is stopped by the program while an agent hands over."""
    with ProviderServer(runaway("budget")) as server:
        client = _client(server)
        members = [
            AssistantAgent("alice", client, handoffs=["bob"]),
            AssistantAgent("bob", client, handoffs=["alice"]),
        ]
        raised = None
        try:
            async with agentguard.run("handed") as run:
                async for message in Swarm(members).run_stream(task="Go on."):
                    if type(message).__name__ == "HandoffMessage":
                        run.stop("enough")
        except agentguard.RunStopped as error:
            raised = str(error)
        await client.close()
        return {"raised": raised, "requests": len(server.requests()), "orphans": _said()["orphans"]}


async def waiting() -> dict[str, Any]:
    """A person who does not answer, a manager that cannot find who is next, a tool that waits.

    The second team is in a runtime of the program's.
    """

    async def never(*_: Any) -> str:
        await asyncio.sleep(3600)
        return ""

    async def idle(query: str) -> str:
        """Wait."""
        return await never()

    runtime = SingleThreadedAgentRuntime()
    runtime.start()
    raised, before = [], asyncio.all_tasks()
    with ProviderServer(runaway("budget")) as server:
        client = _client(server)
        agent = AssistantAgent("agent", client)
        person = UserProxyAgent("person", input_func=never)
        two = [agent, AssistantAgent("other", client)]
        for what in (
            RoundRobinGroupChat([person]),
            SelectorGroupChat(two, client, selector_func=never, runtime=runtime),
            RoundRobinGroupChat([AssistantAgent("tooled", client, tools=[idle])]),
            AssistantAgent("alone", client, tools=[idle]),
        ):
            try:
                guards = [agentguard.TimeoutGuard(max_seconds=0.3)]
                async with agentguard.run("waiting", guards=guards):
                    await what.run(task="Go on.")
            except Exception as error:  # noqa: BLE001 - what it is is looked at
                raised.append(type(error).__name__)
        tasks = [repr(task) for task in asyncio.all_tasks() - before]
        await runtime.stop_when_idle()
        await client.close()
    return {"raised": raised, "tasks": tasks, "orphans": _said()["orphans"]}


async def run_in_a_tool() -> dict[str, Any]:
    """A tool with a run of its own, which is stopped; the tool has an answer all the same."""
    inner = Own(["One.", "Two."])

    async def research(query: str) -> str:
        """Do some research."""
        try:
            async with agentguard.run("inner", guards=[agentguard.BudgetGuard(max_calls=1)]):
                for _ in range(2):
                    await AssistantAgent("inner", inner).run(task=query)
        except agentguard.BudgetExceeded:
            return "Only so much."
        return "All."

    with ProviderServer(runaway("budget")) as server:
        client = _client(server)
        async with agentguard.run("outer") as run:
            result = await AssistantAgent("outer", client, tools=[research]).run(task="Go on.")
        await client.close()
    _memory.clear()
    return {"answer": result.messages[-1].to_text(), "stopped": run.stopped is not None}


async def cancelled() -> dict[str, Any]:
    """A team whose task is cancelled, and one whose stream nobody reads on."""
    before = asyncio.all_tasks()
    loop, asked = asyncio.get_running_loop(), asyncio.Event()

    def answer(conversation: Conversation) -> Answer:
        loop.call_soon_threadsafe(asked.set)
        return echo(conversation)

    with ProviderServer(answer, pause_s=0.05) as server:
        client = _client(server)
        # Left to itself AutoGen lets a team that is cancelled come to its end.
        agent = AssistantAgent("one", client, model_client_stream=True)
        task = asyncio.create_task(RoundRobinGroupChat([agent], max_turns=1).run(task="Go on."))
        await asked.wait()
        task.cancel()
        raised = await asyncio.gather(task, return_exceptions=True)
        team = RoundRobinGroupChat([AssistantAgent("two", client)], max_turns=2)
        stream = team.run_stream(task="Go on.")
        async for _ in stream:
            break
        await stream.aclose()
        stream = AssistantAgent("three", client, model_client_stream=True).run_stream(task="Go.")
        async for message in stream:
            if type(message).__name__ == "ModelClientStreamingChunkEvent":
                break
        await stream.aclose()
        # AutoGen drops its generators: the loop closes them one after the other.
        for _ in range(100):
            await asyncio.sleep(0)
        await client.close()
    tasks = [repr(task) for task in asyncio.all_tasks() - before]
    return {"raised": type(raised[0]).__name__, "tasks": tasks, **_said()}


async def failing() -> dict[str, Any]:
    """A model that refuses the key: what the program gets is what AutoGen gives it."""
    raised = []
    with ProviderServer() as server:
        client = _client(server, api_key="sk-wrong")
        agent = AssistantAgent("assistant", client)
        for what in (agent, RoundRobinGroupChat([agent])):
            try:
                await what.run(task="Hello.")
            except Exception as error:  # noqa: BLE001 - what it is is looked at
                raised.append(type(error).__name__)
        await client.close()
    return {"raised": raised, **_said()}


@dataclass
class Note:
    """A message of the core's own."""

    text: str


class Echo(RoutedAgent):
    """An agent of the core's own."""

    @message_handler
    async def handle(self, message: Note, ctx: MessageContext) -> Note:
        """Answer."""
        return message


async def core() -> dict[str, Any]:
    """Agents of the core's own, in a runtime that is no team's: AutoGen's spans stay."""
    runtime = SingleThreadedAgentRuntime()
    await Echo.register(runtime, "echo", lambda: Echo("Echoes."))
    runtime.start()
    await runtime.send_message(Note("Hello."), AgentId("echo", "default"))
    await runtime.stop_when_idle()
    return {"names": sorted({line.strip() for line in _said()["tree"]})}


async def reversible() -> dict[str, Any]:
    """Off and on again, and on twice."""

    class Late(ReplayChatCompletionClient):
        """A client whose class is made while AutoGen is traced."""

        async def create(self, *args: Any, **kwargs: Any) -> Any:
            """As its base."""
            return await super().create(*args, **kwargs)

    async def ask() -> list[str]:
        await AssistantAgent("assistant", Late(["One."])).run(task="Go on.")
        return [line.strip() for line in _said()["tree"]]

    instrumentor = AutoGenInstrumentor()
    instrumentor.instrument()
    instrumentor.instrument()
    traced = [await ask()]
    instrumentor.uninstrument()
    instrumentor.uninstrument()
    left = [
        f"{owner.__name__}.{name}"
        for owner in (Late, *_owners())
        for name, value in vars(owner).items()
        if type(value).__module__.startswith("wrapt") or name == "__init_subclass__"
    ]
    off = await ask()
    instrumentor.instrument()
    traced.append(await ask())
    return {"traced": traced, "off": off, "left": left}


def _owners() -> list[type]:
    found: list[type] = [BaseGroupChat, BaseTool]
    waiting: list[type] = [ChatCompletionClient, BaseChatAgent]
    while waiting:
        found.append(waiting.pop())
        waiting += found[-1].__subclasses__()
    return found


SCENARIOS: list[Callable[[], Awaitable[dict[str, Any]]]] = [
    provider_of_its_own,
    alone,
    denied,
    stopped_in_a_handoff,
    waiting,
    run_in_a_tool,
    cancelled,
    failing,
    core,
    reversible,
]


async def main() -> None:
    """Run all of them."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(_memory))
    trace.set_tracer_provider(provider)
    handle = agentguard.init(tracer_provider=provider, endpoint="http://127.0.0.1:9")
    AutoGenInstrumentor().instrument(tracer_provider=provider)
    said: dict[str, Any] = {}
    for scenario in SCENARIOS:
        try:
            said[scenario.__name__] = await asyncio.wait_for(scenario(), 20)
        except Exception as error:  # noqa: BLE001 - the test says which
            said[scenario.__name__] = {"failed": repr(error)}
            _memory.clear()
    with suppress(Exception):
        handle.shutdown()
    sys.stdout.write(json.dumps(said) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
