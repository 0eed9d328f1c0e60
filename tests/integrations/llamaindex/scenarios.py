"""What LlamaIndex is used for, one thing each, under the eyes of a span exporter.

Prints one JSON line each: its name, the tree of its spans, and whatever it says itself.

    python -m tests.integrations.llamaindex.scenarios [name ...]
"""

import asyncio
import gc
import inspect
import json
import os
import re
import runpy
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

from llama_index.core import Document, VectorStoreIndex
from llama_index.core.agent.workflow import AgentWorkflow, FunctionAgent
from llama_index.core.chat_engine import CondensePlusContextChatEngine
from llama_index.core.embeddings import MockEmbedding
from llama_index.core.llms.mock import MockLLM
from llama_index.core.tools import QueryEngineTool
from llama_index.core.workflow import Context, Event, StartEvent, StopEvent, Workflow, step
from llama_index.core.workflow.events import HumanResponseEvent, InputRequiredEvent
from llama_index.llms.openai import OpenAI
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from agentguard.demo.provider import ProviderServer
from agentguard.demo.provider.conversation import Answer, Conversation, tool_call
from agentguard.runtime import runtime
from agentguard_integrations.llamaindex import LlamaIndexInstrumentor
from agentguard_integrations.openai import OpenAIInstrumentor
from tests.integrations.llamaindex.model_scenarios import (
    given_up,
    model_of,
    other_errors,
    structured,
    without_client,
)
from tests.integrations.spans import Spans

LlamaIndexInstrumentor().instrument()

Said = dict[str, Any]
PAGE = Path(__file__).parents[3] / "docs/integrations/llamaindex.md"


def answer(conversation: Conversation) -> Answer:
    """Use each tool once, and hand off where that is possible; then say so."""
    given = {
        "lookup": {"query": "otters"},
        "failing": {"query": "otters"},
        "asking": {"question": "May I?"},
        "documents": {"input": "What is new about otters?"},
        "handoff": {"to_agent": "writer", "reason": "The facts are there."},
        "multiply": {"a": 1234, "b": 4567},
        "search_documents": {"query": "What did the author do in college?"},
        "search": {"query": "otters"},
    }
    for tool in conversation.tools:
        if tool not in given:
            return Answer(tool_calls=(tool_call(conversation, tool, {"words": "Otters."}),))
        if conversation.count("tool") < len(conversation.tools):
            asked = conversation.tools[conversation.count("tool")]
            return Answer(tool_calls=(tool_call(conversation, asked, given[asked]),))
    return Answer("Otters hold hands when they sleep.")


def lookup(query: str) -> str:
    """Look something up."""
    return f"A lot about {query}."


def failing(query: str) -> str:
    """Look something up where there is nothing."""
    raise LookupError(f"nothing about {query}")


def _index(server: ProviderServer) -> VectorStoreIndex:
    return VectorStoreIndex.from_documents([Document(text="Otters.")], embed_model=MockEmbedding(4))


async def handoff(server: ProviderServer) -> Said:
    """Two agents, of which the first looks something up and hands off."""
    llm = model_of(server)
    agents: list[Any] = [
        FunctionAgent(name="researcher", description="Finds.", tools=[lookup], llm=llm,
                      can_handoff_to=["writer"]),
        FunctionAgent(name="writer", description="Writes.", llm=llm, can_handoff_to=[]),
    ]  # fmt: skip
    result = await AgentWorkflow(agents=agents, root_agent="researcher").run("Otters?")
    return {"result": str(result)}


async def tool_failure(server: ProviderServer) -> Said:
    """An agent that is told that its tool failed."""
    result = await FunctionAgent(tools=[failing], llm=model_of(server)).run("Otters?")
    return {"result": str(result)}


async def denied(server: ProviderServer) -> Said:
    """An agent that may not use its tool, and goes on."""
    async with agentguard.run("denied", guards=[agentguard.ToolPolicy(deny=["lookup"])]):
        result = await FunctionAgent(tools=[lookup], llm=model_of(server)).run("Otters?")
    return {"result": str(result)}


async def person(server: ProviderServer) -> Said:
    """An agent whose tool asks a person, by leaving its step and being called again."""

    async def asking(ctx: Context, question: str) -> str:
        """Ask a person."""
        replied = await ctx.wait_for_event(
            HumanResponseEvent, waiter_event=InputRequiredEvent(prefix=question)
        )
        return str(replied.response)

    handler = FunctionAgent(tools=[asking], llm=model_of(server)).run("May you?")
    async for event in handler.stream_events():
        if isinstance(event, InputRequiredEvent):
            assert handler.ctx is not None
            handler.ctx.send_event(HumanResponseEvent(response="yes"))
    return {"result": str(await handler)}


async def parallel_agents(server: ProviderServer) -> Said:
    """Two agents at once, each with its own calls."""
    llm = model_of(server)
    async with agentguard.run("both"):
        await asyncio.gather(
            *(FunctionAgent(name=n, tools=[lookup], llm=llm).run("Otters?") for n in ("a", "b"))
        )
    return {}


class _Part(Event):
    number: int


class _Done(Event):
    number: int


class _Steps(Workflow):
    """Steps that are run at once, one of them plain Python in a thread."""

    def __init__(self, llm: Any) -> None:
        super().__init__(timeout=20)
        self.llm = llm

    @step
    async def split(self, ctx: Context, ev: StartEvent) -> _Part | None:
        """Two parts."""
        for number in range(2):
            ctx.send_event(_Part(number=number))
        return None

    @step
    def work(self, ev: _Part) -> _Done:
        """In a thread."""
        self.llm.complete(f"Part {ev.number}")
        return _Done(number=ev.number)

    @step(num_workers=1)
    async def join(self, ctx: Context, ev: _Done) -> StopEvent | None:
        """When both are there."""
        done = ctx.collect_events(ev, [_Done] * 2)
        return None if done is None else StopEvent(result="joined")


async def steps(server: ProviderServer) -> Said:
    """A workflow of one's own."""
    return {"result": await _Steps(model_of(server)).run()}


async def cancelled(server: ProviderServer) -> Said:
    """A workflow that its user cancels."""

    class Sleeps(Workflow):
        @step
        async def sleep(self, ev: StartEvent) -> StopEvent:
            """For too long."""
            await asyncio.sleep(60)
            return StopEvent()

    handler = Sleeps().run()
    await asyncio.sleep(0.05)
    await handler.cancel_run()
    try:
        await handler
    except Exception as error:  # noqa: BLE001 - its type is the answer
        return {"raised": type(error).__name__}
    return {}


def query_tool(server: ProviderServer) -> Said:
    """An agent with documents to search in."""
    engine = _index(server).as_query_engine(llm=model_of(server))
    tool = QueryEngineTool.from_defaults(engine, name="documents", description="What is known.")
    agent = FunctionAgent(tools=[tool], llm=model_of(server))

    async def run() -> str:
        return str(await agent.run("Otters?"))

    return {"result": asyncio.run(run())}


def streamed_query(server: ProviderServer) -> Said:
    """A query whose answer is read when the engine has long returned."""
    engine = _index(server).as_query_engine(llm=model_of(server), streaming=True)
    response: Any = engine.query("Otters?")
    return {"result": "".join(response.response_gen)}


def streamed_chat(server: ProviderServer) -> Said:
    """A chat engine with documents, read from a thread."""
    engine = CondensePlusContextChatEngine.from_defaults(
        _index(server).as_retriever(), llm=model_of(server)
    )
    return {"result": "".join(engine.stream_chat("Otters?").response_gen)}


async def client_traced(server: ProviderServer) -> Said:
    """The model's client has an instrumentor too."""
    OpenAIInstrumentor().instrument()
    try:
        await FunctionAgent(tools=[lookup], llm=model_of(server)).run("Otters?")
        await model_of(server).acomplete("Otters?")
    finally:
        OpenAIInstrumentor().uninstrument()
    return {}


def quickstart(server: ProviderServer) -> Said:
    """The example that LlamaIndex begins with, as it is published."""
    return {"output": _script(server, "quickstart.py")}


def quickstart_documents(server: ProviderServer) -> Said:
    """What it goes on with."""
    runtime.capture_content = True
    try:
        return {"output": _script(server, "quickstart_documents.py")}
    finally:
        runtime.capture_content = False


def page(server: ProviderServer) -> Said:
    """The code of the page in the docs."""
    with _at(server), redirect_stdout(StringIO()) as output:
        code = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
        exec(compile("\n".join(code), str(PAGE), "exec"), {"__name__": "page"})  # noqa: S102
    return {"output": output.getvalue()}


def _script(server: ProviderServer, name: str) -> str:
    with _at(server), redirect_stdout(StringIO()) as output:
        runpy.run_path(str(Path(__file__).with_name(name)), run_name="__main__")
    return output.getvalue()


@contextmanager
def _at(server: ProviderServer) -> Iterator[None]:
    """Where scripts find their model, which they do not say."""
    before = dict(os.environ)
    os.environ |= {"OPENAI_API_BASE": server.base_url, "OPENAI_API_KEY": server.api_key}
    try:
        yield
    finally:
        os.environ.clear()
        os.environ |= before


def uninstrumented(server: ProviderServer) -> Said:
    """On and off and on again."""
    agent_run = inspect.getattr_static(Workflow, "run")
    methods = {name: inspect.getattr_static(OpenAI, name) for name in ("chat", "astream_chat")}
    instrumentor = LlamaIndexInstrumentor()
    instrumentor.instrument()
    assert inspect.getattr_static(Workflow, "run") is agent_run
    instrumentor.uninstrument()
    instrumentor.uninstrument()
    off = {name: inspect.getattr_static(OpenAI, name) for name in methods}
    assert not any(off[name] is method for name, method in methods.items())
    assert inspect.getattr_static(Workflow, "run") is not agent_run
    model_of(server).complete("Otters?")

    class Later(MockLLM):
        def complete(self, *args: Any, **kwargs: Any) -> Any:
            """Made while nobody looks."""
            return super().complete(*args, **kwargs)

    asyncio.run(_quiet_agent(server))
    instrumentor.instrument()
    again = inspect.getattr_static(OpenAI, "chat")
    assert again.__wrapped__ is off["chat"]
    Later().complete("Otters?")
    return {"requests": len(server.requests())}


async def _quiet_agent(server: ProviderServer) -> None:
    await FunctionAgent(tools=[lookup], llm=model_of(server)).run("Otters?")


SCENARIOS: dict[str, Any] = {
    each.__name__: each
    for each in (
        handoff,
        tool_failure,
        denied,
        person,
        parallel_agents,
        steps,
        cancelled,
        query_tool,
        streamed_query,
        streamed_chat,
        given_up,
        structured,
        without_client,
        other_errors,
        client_traced,
        quickstart,
        quickstart_documents,
        page,
        uninstrumented,
    )
}


def main() -> None:
    """Run those that the command line names, by default all."""
    provider, memory = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    handle = agentguard.init(tracer_provider=provider, endpoint="http://127.0.0.1:9")
    for name in sys.argv[1:] or SCENARIOS:
        memory.clear()
        scenario = SCENARIOS[name]
        with ProviderServer(answer) as server:
            is_async = inspect.iscoroutinefunction(scenario)
            said = asyncio.run(scenario(server)) if is_async else scenario(server)
            gc.collect()
            requests = server.requests()
        spans = Spans(memory.get_finished_spans())
        told = {
            "name": name,
            **said,
            "tree": spans.tree(),
            "traces": len(spans.traces()),
            "orphans": spans.orphans(),
            "errors": {s.name: s.status.description for s in spans.all if not s.status.is_ok
                       and s.status.description},
            "late": _ended_before_their_children(spans),
            "captured": [dict(a) for s in spans.all if (a := s.attributes or {}).keys() & _CONTENT],
            "identities": [_identity(s) for s in spans.all],
            "spans": spans.model_calls(),
            "log": sorted(
                (r.model, r.usage.input, r.usage.cache_read, r.usage.output, r.usage.reasoning)
                for r in requests
                if r.usage
            ),
        }  # fmt: skip
        sys.stdout.write(json.dumps(told, default=str) + "\n")
        sys.stdout.flush()
    handle.shutdown()
    sys.stdout.write(json.dumps({"ended": time.time()}) + "\n")


_CONTENT = {
    "gen_ai.input.messages",
    "gen_ai.output.messages",
    "gen_ai.tool.call.arguments",
    "gen_ai.retrieval.documents",
    "input.value",
}


def _identity(span: Any) -> list[Any]:
    """Its name, the agent that it is of, and the id of its tool call."""
    said = span.attributes or {}
    return [span.name, said.get("gen_ai.agent.name"), said.get("gen_ai.tool.call.id")]


def _ended_before_their_children(spans: Spans) -> list[str]:
    ended = {span.context.span_id: span for span in spans.all if span.context}
    return [
        parent.name
        for span in spans.all
        if span.parent
        and (parent := ended.get(span.parent.span_id))
        and (parent.end_time or 0) < (span.end_time or 0)
    ]


if __name__ == "__main__":
    main()
