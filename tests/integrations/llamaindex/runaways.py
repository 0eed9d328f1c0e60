"""Agents, workflows, engines and models of LlamaIndex that never come to an end."""

from __future__ import annotations

import asyncio
import gc
import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

from llama_index.core import Document, SummaryIndex, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent, ReActAgent
from llama_index.core.base.llms.types import (
    ChatMessage,
    CompletionResponse,
    CompletionResponseGen,
    LLMMetadata,
)
from llama_index.core.chat_engine import SimpleChatEngine
from llama_index.core.llms import CustomLLM
from llama_index.core.tools import FunctionTool
from llama_index.core.workflow import Event, StartEvent, StopEvent, Workflow, step
from llama_index.embeddings.openai import OpenAIEmbedding
from llama_index.llms.openai import OpenAI

from agentguard.demo.provider.conversation import Answer, Conversation, tool_call
from agentguard_integrations.llamaindex import LlamaIndexInstrumentor
from tests.integrations.driving import Provider, main, runaway, search

LlamaIndexInstrumentor().instrument()

MODEL = "gpt-4o-mini"
TURNS = 8
"""Turns that a form makes at most where it is not a deadline that has to be reached."""
PAUSE_S = 0.05


def _llm(at: Provider) -> OpenAI:
    return OpenAI(model=MODEL, api_base=at.base_url, api_key=at.api_key)


def _turns(at: Provider) -> range:
    return range(TURNS * 4 if at.guard == "deadline" else TURNS)


def _asked(at: Provider, turn: int) -> list[ChatMessage]:
    return [ChatMessage(role="user", content=at.question(turn))]


def _engine(at: Provider) -> Any:
    embeddings = OpenAIEmbedding(
        model="text-embedding-3-small", api_base=at.base_url, api_key=at.api_key
    )
    index = VectorStoreIndex.from_documents([Document(text="Otters.")], embed_model=embeddings)
    return index.as_query_engine(llm=_llm(at))


def _agent(at: Provider, **more: Any) -> FunctionAgent:
    return FunctionAgent(name="researcher", tools=[search], llm=_llm(at), **more)


def sync(at: Provider) -> None:
    """A query engine, turn after turn; whatever fails is tried again."""
    engine = _engine(at)
    for turn in _turns(at):
        with suppress(Exception):
            engine.query(at.question(turn))
        time.sleep(PAUSE_S)


def stream(at: Provider) -> None:
    """A model's answers, read piece by piece."""
    llm = _llm(at)
    for turn in _turns(at):
        with suppress(Exception):
            for _ in llm.stream_chat(_asked(at, turn)):
                pass
        time.sleep(PAUSE_S)


def chat_stream(at: Provider) -> None:
    """A chat engine, which reads its model in a thread; its caller sees what went wrong there."""
    engine = SimpleChatEngine.from_defaults(llm=_llm(at))
    for turn in _turns(at):
        for _ in engine.stream_chat(at.question(turn)).response_gen:
            pass
        time.sleep(PAUSE_S)


async def asynchronous(at: Provider) -> None:
    """An agent."""
    await _agent(at, streaming=False).run("What is new about otters?", max_iterations=TURNS * 8)


async def events(at: Provider) -> None:
    """An agent whose events are read as they come."""
    handler = _agent(at).run("What is new about otters?", max_iterations=TURNS * 8)
    async for _ in handler.stream_events():
        pass
    await handler


async def async_stream(at: Provider) -> None:
    """A model's answers, piece by piece, in a task."""
    llm = _llm(at)
    for turn in _turns(at):
        with suppress(Exception):
            async for _ in await llm.astream_chat(_asked(at, turn)):
                pass
        await asyncio.sleep(PAUSE_S)


async def handoffs(at: Provider) -> None:
    """Two agents that hand off to each other."""
    agents: list[Any] = [
        FunctionAgent(name=name, description=f"Is {name}.", system_prompt=f"You are {name}.",
                      llm=_llm(at))
        for name in ("alpha", "beta")
    ]  # fmt: skip
    workflow = AgentWorkflow(agents=agents, root_agent="alpha")
    await workflow.run("What is new about otters?", max_iterations=TURNS * 8)


class _Again(Event):
    turn: int


class _Circle(Workflow):
    """Asks its model, and then asks it again."""

    def __init__(self, at: Provider) -> None:
        super().__init__(timeout=20)
        self.at = at
        self.llm = _llm(at)

    @step
    async def begin(self, ev: StartEvent) -> _Again:
        """The first turn."""
        return _Again(turn=0)

    @step
    async def ask(self, ev: _Again) -> _Again | StopEvent:
        """One turn."""
        await self.llm.achat(_asked(self.at, ev.turn))
        await asyncio.sleep(PAUSE_S)
        return _Again(turn=ev.turn + 1) if ev.turn < TURNS * 4 else StopEvent()


class _AlwaysAgain:
    """A policy: try again at once."""

    def next(self, elapsed_time: float, attempts: int, error: Exception) -> float | None:
        """Seconds to wait."""
        return 0.05 if attempts < TURNS * 4 else None


class _Stubborn(Workflow):
    """Tries a step again and again, whatever went wrong in it."""

    def __init__(self, at: Provider) -> None:
        super().__init__(timeout=20)
        self.at = at
        self.llm = _llm(at)
        self.turn = 0

    @step(retry_policy=_AlwaysAgain())
    async def ask(self, ev: StartEvent) -> StopEvent:
        """Asks, and is never content."""
        self.turn += 1
        answer = await self.llm.achat(_asked(self.at, self.turn))
        raise ValueError(f"This is no answer: {answer}")


async def workflow(at: Provider) -> None:
    """A workflow that goes round."""
    await _Circle(at).run()


async def retries(at: Provider) -> None:
    """A workflow whose step is tried again."""
    await _Stubborn(at).run()


async def parallel(at: Provider) -> None:
    """Several queries at once; the first one has its model's client made, which takes a while."""
    engine = SummaryIndex.from_documents([Document(text="Otters.")]).as_query_engine(llm=_llm(at))
    await engine.aquery(at.question(100))

    async def turns(lane: int) -> None:
        for turn in _turns(at)[::2]:
            with suppress(Exception):
                await engine.aquery(at.question(turn * 4 + lane))
            await asyncio.sleep(PAUSE_S * 2)

    await asyncio.gather(*map(turns, range(4)))


async def parallel_tools(at: Provider) -> None:
    """An agent that calls two tools at once, which ask models themselves."""
    llm = _llm(at)
    turns = iter(range(1000))

    async def consult(query: str) -> str:
        """Ask somebody else."""
        await asyncio.sleep(PAUSE_S * 2)
        return str(await llm.acomplete(at.question(next(turns))))

    agent = FunctionAgent(name="boss", tools=[consult], llm=llm, streaming=False)
    await agent.run("Consult two at once about otters.", max_iterations=TURNS * 8)


async def tool_errors(at: Provider) -> None:
    """An agent whose tool fails with what a guard raises, which the agent is told as its answer."""
    llm = _llm(at)

    def consult(query: str) -> str:
        """Ask somebody else, thread and all."""
        for turn in range(TURNS * 8):
            llm.complete(at.question(turn))
            time.sleep(PAUSE_S)
        return "Nothing."

    agent = FunctionAgent(name="stubborn", tools=[consult], llm=llm, streaming=False)
    await agent.run("What is new about otters?", max_iterations=TURNS * 8)


class _Homemade(CustomLLM):
    """A model behind nothing but HTTP: no client that is known to anybody."""

    base_url: str
    api_key: str

    @property
    def metadata(self) -> LLMMetadata:
        """What it is called."""
        return LLMMetadata(model_name=MODEL)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        """The whole answer."""
        body = {"model": MODEL, "messages": [{"role": "user", "content": prompt}]}
        request = urllib.request.Request(  # noqa: S310 - an address of this process
            f"{self.base_url}/chat/completions",
            json.dumps(body).encode(),
            {"Authorization": f"Bearer {self.api_key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            said = json.load(answer)
        return CompletionResponse(text=said["choices"][0]["message"]["content"], raw=said)

    def stream_complete(
        self, prompt: str, formatted: bool = False, **kwargs: Any
    ) -> CompletionResponseGen:
        """The answer in pieces."""

        def pieces() -> Iterator[CompletionResponse]:
            answer = self.complete.__wrapped__(prompt)  # type: ignore[attr-defined]
            for at in range(len(answer.text)):
                yield CompletionResponse(
                    text=answer.text[: at + 1], delta=answer.text[at], raw=answer.raw
                )

        return pieces()  # type: ignore[return-value]


def custom(at: Provider) -> None:
    """A model without a client, by all of its methods in turn."""
    llm = _Homemade(base_url=at.base_url, api_key=at.api_key)
    ways: list[Callable[..., Any]] = [
        lambda turn: llm.chat(_asked(at, turn)),
        lambda turn: llm.complete(at.question(turn)),
        lambda turn: list(llm.stream_chat(_asked(at, turn))),
        lambda turn: list(llm.stream_complete(at.question(turn))),
    ]
    for turn in _turns(at):
        with suppress(Exception):
            ways[0 if at.guard == "loop" else turn % len(ways)](turn)
        time.sleep(PAUSE_S)


async def custom_agent(at: Provider) -> None:
    """An agent in words, with such a model."""
    llm = _Homemade(base_url=at.base_url, api_key=at.api_key)
    tools = [FunctionTool.from_defaults(search)]
    agent = ReActAgent(name="homemade", tools=tools, llm=llm, streaming=False)
    await agent.run("What is new about otters?", max_iterations=TURNS * 8)


def respond(guard: str) -> Callable[[Conversation], Answer]:
    """A model as `runaway` is, that also hands off, asks twice at once and writes ReAct's words."""
    plain = runaway(guard)

    def answer(conversation: Conversation) -> Answer:
        everything = " ".join(message.text for message in conversation.messages)
        turn = sum(message.text.count("Observation:") for message in conversation.messages)
        turn += conversation.count("tool") + conversation.count("assistant")
        query = json.dumps({"query": "otters" if guard == "loop" else f"otters, part {turn}"})
        if conversation.tools == ("handoff",):
            other = "beta" if "You are alpha" in conversation.last("system") else "alpha"
            asked = {"to_agent": other, "reason": "It knows more."}
            return Answer(tool_calls=(tool_call(conversation, "handoff", asked),))
        if conversation.tools and "two at once" in everything:
            both = [tool_call(conversation, "consult", {"query": f"{query} {n}"}) for n in range(2)]
            return Answer(tool_calls=tuple(both))
        if "Action Input" in everything:
            return Answer(f"Thought: I need a tool.\nAction: search\nAction Input: {query}\n")
        return plain(conversation)

    return answer


FORMS = {
    "sync": sync,
    "stream": stream,
    "chat stream": chat_stream,
    "async": asynchronous,
    "async stream": async_stream,
    "events": events,
    "handoffs": handoffs,
    "workflow": workflow,
    "retries": retries,
    "parallel": parallel,
    "parallel tools": parallel_tools,
    "tool errors": tool_errors,
    "custom": custom,
    "custom agent": custom_agent,
}

if __name__ == "__main__":
    main(FORMS, respond)
    # To take all of LlamaIndex apart takes Python a second or two, which is not what is measured.
    gc.freeze()
