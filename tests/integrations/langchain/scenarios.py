"""What happens to LangChain in particular situations; each says what it saw, as one JSON object.

python -m tests.integrations.langchain.scenarios [name ...]
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import openai
from langchain.agents import create_agent
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForRetrieverRun
from langchain_core.callbacks import manager as callback_manager
from langchain_core.documents import Document
from langchain_core.embeddings import Embeddings
from langchain_core.globals import set_llm_cache
from langchain_core.language_models import FakeListChatModel, FakeListLLM
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.retrievers import BaseRetriever
from langchain_core.runnables import RunnableLambda
from langchain_core.tools import tool
from langchain_core.vectorstores import VectorStore
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.types import Command, interrupt
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from agentguard.demo.provider import ProviderServer
from agentguard_integrations.langchain import LangChainInstrumentor
from tests.integrations.driving import Provider
from tests.integrations.langchain.models import openai_model, plain_model
from tests.integrations.spans import Spans

memory = InMemorySpanExporter()
ASKED = {"messages": [{"role": "user", "content": "Otters?"}]}


class AskingModel(FakeListChatModel):
    """Asks for the first tool that it has, as often as it is told to; no HTTP anywhere."""

    turns: int = 10_000
    tool: str = "search"
    called: int = 0

    def bind_tools(self, tools: Any, **options: Any) -> Any:
        """It has them already."""
        return self

    def _generate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> ChatResult:
        self.called += 1
        answer = AIMessage(self.responses[0])
        if self.called <= self.turns:
            asked = {"name": self.tool, "args": {"query": "otters"}, "id": f"call_{self.called}"}
            answer = AIMessage("", tool_calls=[asked])
        return ChatResult(generations=[ChatGeneration(message=answer)])


@tool
def search(query: str) -> str:
    """Search the library for a query."""
    return "[]"


def _seen() -> dict[str, Any]:
    """The spans since the last look, and what is wrong with them."""
    spans = Spans(memory.get_finished_spans())
    memory.clear()
    return {
        "tree": spans.tree(),
        "traces": len(spans.traces()),
        "orphans": spans.orphans(),
        "errors": {s.name: s.status.description for s in spans.all if s.status.description},
        "attributes": {s.name: dict(s.attributes or {}) for s in spans.all},
    }


def no_http(at: Provider) -> dict[str, Any]:
    """A model that no client is behind, under a loop guard and a budget."""
    found = {}
    for name, guard in {
        "loop": agentguard.LoopGuard(),
        "budget": agentguard.BudgetGuard(max_calls=2),
    }.items():
        model = AskingModel(responses=["Done."])
        raised = None
        with agentguard.run("no http", guards=[guard]) as run:
            try:
                create_agent(model, [search]).invoke(ASKED)
            except agentguard.RunStopped as stop:
                raised = type(stop).__name__
            called = model.called
            with suppress(agentguard.RunStopped):
                model.invoke("Otters?")
        found[name] = {
            "raised": raised,
            "stopped_by": run.stopped.guard if run.stopped else None,
            "called": called,
            "after": model.called - called,
        }
    return found


def reversible(at: Provider) -> dict[str, Any]:
    """Taken away, put there twice, taken away."""
    instrumentor = LangChainInstrumentor()
    instrumentor.uninstrument()
    places = _places()
    RunnableLambda(len).invoke("off")
    off = _seen()["tree"]
    instrumentor.instrument()
    instrumentor.instrument()
    differing = sum(a is not b for a, b in zip(places, _places(), strict=True))
    RunnableLambda(len).invoke("on")
    on = _seen()["tree"]
    instrumentor.uninstrument()
    same = all(a is b for a, b in zip(places, _places(), strict=True))
    filters = len(callback_manager.logger.filters)
    instrumentor.instrument()
    return {"off": off, "on": on, "same": same, "differing": differing, "filters": filters}


def _places() -> list[object]:
    import langchain.agents.middleware.model_retry as model_retry
    import langchain_core.language_models.chat_models as chat_models
    import langchain_core.language_models.llms as llms
    import langchain_core.retrievers as retrievers
    import langchain_core.runnables.config as config
    import langchain_core.runnables.retry as retry
    import langchain_core.tools.base as tools
    import langchain_core.vectorstores.base as stores
    import langgraph._internal._runnable as runnable
    import langgraph.pregel._retry as node_retry
    import langgraph.pregel.main as pregel

    owners: list[Any] = [
        callback_manager,
        callback_manager.CallbackManagerForChainRun,
        callback_manager.AsyncCallbackManagerForChainRun,
        callback_manager.AsyncCallbackManager,
        model_retry,
        model_retry.ModelRetryMiddleware,
        chat_models.BaseChatModel,
        llms.BaseLLM,
        retrievers.BaseRetriever,
        config,
        retry.RunnableRetry,
        tools.BaseTool,
        stores.VectorStore,
        runnable,
        node_retry,
        pregel,
    ]
    return [value for owner in owners for value in vars(owner).values()]


def interrupted(at: Provider) -> dict[str, Any]:
    """A graph that asks a person, and goes on with the answer."""

    def ask(state: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(interrupt("Which?"))]}

    graph = StateGraph(MessagesState)
    graph.add_node("ask", ask)
    graph.add_edge(START, "ask")
    compiled = graph.compile(checkpointer=InMemorySaver(), name="asks")
    config = {"configurable": {"thread_id": "thread-7"}}
    compiled.invoke(ASKED, config)
    first = _seen()
    compiled.invoke(Command(resume="Sea otters."), config)
    return {"first": first, "second": _seen()}


def abandoned(at: Provider) -> dict[str, Any]:
    """A stream that nobody reads to its end, and one that is closed."""
    agent = create_agent(openai_model(at), [search], name="reader")
    for _ in agent.stream(ASKED, stream_mode="messages"):
        break
    pieces = openai_model(at).stream("Otters?")
    next(pieces)
    pieces.close()
    return _seen()


def abandoned_async(at: Provider) -> dict[str, Any]:
    """The same in a task."""

    async def read() -> None:
        agent = create_agent(openai_model(at), [search], name="reader")
        pieces = agent.astream(ASKED, stream_mode="messages")
        await anext(pieces)
        await pieces.aclose()

    asyncio.run(read())
    return _seen()


def cancelled(at: Provider) -> dict[str, Any]:
    """An agent whose caller does not wait for it."""

    @tool
    async def wait(query: str) -> str:
        """Wait for something that never comes."""
        await asyncio.sleep(60)
        return query

    async def call() -> str:
        agent = create_agent(AskingModel(responses=[""], tool="wait"), [wait], name="waiter")
        try:
            async with asyncio.timeout(0.3):
                await agent.ainvoke(ASKED)
        except TimeoutError:
            return "TimeoutError"
        return ""

    return {"raised": asyncio.run(call()), **_seen()}


def denied(at: Provider) -> dict[str, Any]:
    """A tool that may not be called: its model is told, and goes on."""
    with agentguard.run("denied", guards=[agentguard.ToolPolicy(deny=["search"])]) as run:
        agent = create_agent(AskingModel(responses=["Then not."], turns=1), [search], name="asker")
        said = agent.invoke(ASKED)["messages"]
        direct = None
        try:
            search.invoke({"query": "otters"})
        except agentguard.ToolDenied as refused:
            direct = str(refused)
    return {
        "stopped": run.stopped is not None,
        "told": [said[-2].content, said[-2].status, said[-2].tool_call_id],
        "answer": said[-1].content,
        "direct": direct,
        **_seen(),
    }


def translated(at: Provider) -> dict[str, Any]:
    """A chain that makes another error of the refusal; and one that fails by itself."""

    def worse(model: Any) -> Callable[[str], str]:
        def ask(text: str) -> str:
            try:
                return str(model.invoke(text))
            except Exception:  # noqa: BLE001 - an application that tells nobody why
                raise ValueError("could not ask") from None

        return ask

    raised = []
    with agentguard.run("translated", guards=[agentguard.BudgetGuard(max_calls=0)]):
        for call in (
            lambda chain: chain.invoke("Otters?"),
            lambda chain: asyncio.run(chain.ainvoke("Otters?")),
            lambda chain: list(chain.stream("Otters?")),
        ):
            try:
                call(RunnableLambda(worse(FakeListChatModel(responses=["no"]))) | len)
            except Exception as error:  # noqa: BLE001 - what reaches the caller is looked at
                raised.append(type(error).__name__)
    memory.clear()
    try:
        RunnableLambda(lambda text: text.missing, name="broken").invoke("Otters?")
    except Exception as error:  # noqa: BLE001 - what reaches the caller is looked at
        raised.append(type(error).__name__)
    return {"raised": raised, **_seen()}


def told_to_others(at: Provider) -> dict[str, Any]:
    """What a handler of the application's hears of calls that are refused."""

    class Counting(BaseCallbackHandler):
        def __init__(self) -> None:
            self.open: set[Any] = set()
            self.begun = 0

        def _begin(self, *_: Any, run_id: Any, **more: Any) -> None:
            self.begun += 1
            self.open.add(run_id)

        def _end(self, *_: Any, run_id: Any, **more: Any) -> None:
            self.open.discard(run_id)

        on_chain_start = on_chat_model_start = on_tool_start = _begin
        on_chain_end = on_llm_end = on_tool_end = _end
        on_chain_error = on_llm_error = on_tool_error = _end

    heard = Counting()
    with agentguard.run("heard", guards=[agentguard.BudgetGuard(max_calls=1)]):
        agent = create_agent(AskingModel(responses=[""]), [search], name="asker")
        with suppress(agentguard.RunStopped):
            agent.invoke(ASKED, {"callbacks": [heard]})
        with suppress(agentguard.RunStopped):
            asyncio.run(agent.ainvoke(ASKED, {"callbacks": [heard]}))
    memory.clear()
    return {"begun": heard.begun, "open": len(heard.open)}


class _Store(VectorStore):
    """Two documents, of which each is as near as it says."""

    def add_texts(self, texts: Any, metadatas: Any = None, **_: Any) -> list[str]:
        return []

    @classmethod
    def from_texts(cls, texts: Any, embedding: Embeddings, metadatas: Any = None, **_: Any) -> Any:
        return cls()

    def similarity_search(self, query: str, k: int = 4, **_: Any) -> list[Document]:
        return [document for document, _ in self._similarity_search_with_relevance_scores(query)]

    def _similarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **_: Any
    ) -> list[tuple[Document, float]]:
        return [
            (Document("Otters float.", id="doc-1", metadata={"page": 3}), 0.9),
            (Document("Otters dive.", id="doc-2"), 0.7),
        ]

    async def _asimilarity_search_with_relevance_scores(
        self, query: str, k: int = 4, **_: Any
    ) -> list[tuple[Document, float]]:
        return self._similarity_search_with_relevance_scores(query)


class _Embedding(BaseRetriever):
    """A retriever that has its query embedded by the `openai` client."""

    base_url: str
    api_key: str

    def _get_relevant_documents(
        self, query: str, *, run_manager: CallbackManagerForRetrieverRun
    ) -> list[Document]:
        with openai.OpenAI(base_url=self.base_url, api_key=self.api_key) as client:
            client.embeddings.create(model="text-embedding-3-small", input=query)
        return [Document("Otters float.", metadata={"score": 0.4})]


def retrieved(at: Provider) -> dict[str, Any]:
    """Searches with scores, without, and with a call to an embedding model inside."""
    near = _Store().as_retriever(
        search_type="similarity_score_threshold", search_kwargs={"score_threshold": 0.5}
    )
    near.invoke("What do otters do?")
    found = {"scored": _seen()}
    asyncio.run(near.ainvoke("What do otters do?"))
    found["scored async"] = _seen()
    embedding = _Embedding(base_url=at.base_url, api_key=at.api_key)
    (embedding | len).invoke("What do otters do?")
    found["embedded"] = _seen()
    asyncio.run((embedding | len).ainvoke("What do otters do?"))
    found["embedded async"] = _seen()
    return found


def cached(at: Provider) -> dict[str, Any]:
    """An answer out of LangChain's cache costs nothing."""
    set_llm_cache(InMemoryCache())
    model = plain_model(at)
    for _ in range(2):
        model.invoke("Otters?")
    set_llm_cache(None)
    spans = memory.get_finished_spans()
    memory.clear()
    return {"tokens": [(s.attributes or {}).get("gen_ai.usage.input_tokens") for s in spans]}


def several(at: Provider) -> dict[str, Any]:
    """Several conversations in one call of a model: one span and its own tokens for each."""
    model = openai_model(at)
    model.generate([[HumanMessage("Otters?")], [HumanMessage("What about all the otters?")]])
    sync = Spans(memory.get_finished_spans()).model_calls()
    memory.clear()
    asyncio.run(
        model.agenerate([[HumanMessage("Otters?")], [HumanMessage("What about all the otters?")]])
    )
    both = Spans(memory.get_finished_spans()).model_calls()
    memory.clear()
    FakeListLLM(responses=["a", "b"]).generate(["Otters?", "Badgers?"])
    completions = _seen()["tree"]
    asked = [[HumanMessage("Otters?")], [HumanMessage("Badgers?")]]
    with (
        suppress(agentguard.BudgetExceeded),
        agentguard.run("refused", guards=[agentguard.BudgetGuard(max_calls=1)]),
    ):
        model.generate(asked)
    refused = _seen()["tree"]
    return {"sync": sync, "async": both, "completions": completions, "refused": refused}


def streamed(at: Provider) -> dict[str, Any]:
    """Streams of a model without a client, cut at a deadline, and of one with a client."""
    found: dict[str, Any] = {}
    list(FakeListChatModel(responses=["Otters."]).stream("Otters?"))
    found["plain"] = _seen()["attributes"]
    list(openai_model(at).stream("Otters?"))
    found["openai"] = _seen()["attributes"]
    slow = FakeListChatModel(responses=["Otters. " * 100], sleep=0.02)
    pieces = 0
    try:
        with agentguard.run("slow", guards=[agentguard.TimeoutGuard(max_seconds=0.3)]):
            for _ in slow.stream("Otters?"):
                pieces += 1
    except agentguard.TimeoutExceeded:
        found["cut"] = pieces

    async def read() -> int:
        pieces = 0
        with suppress(agentguard.TimeoutExceeded):
            async with agentguard.run("slow", guards=[agentguard.TimeoutGuard(max_seconds=0.3)]):
                async for _ in slow.astream("Otters?"):
                    pieces += 1
        return pieces

    found["cut async"] = asyncio.run(read())
    memory.clear()
    return found


def retried(at: Provider) -> dict[str, Any]:
    """Retries that would wait for seconds, in a run that has no call left."""
    model = FakeListChatModel(responses=["no"]).with_retry(
        stop_after_attempt=5, exponential_jitter_params={"initial": 2.0, "max": 9.0}
    )

    async def call() -> None:
        await model.ainvoke("Otters?")

    async def batch() -> None:
        await model.abatch(["Otters?", "Badgers?"])

    raised, began = [], time.monotonic()
    with agentguard.run("retried", guards=[agentguard.BudgetGuard(max_calls=0)]):
        for each in (
            lambda: model.invoke("Otters?"),
            lambda: model.batch(["Otters?", "Badgers?"]),
            lambda: asyncio.run(call()),
            lambda: asyncio.run(batch()),
        ):
            try:
                each()
            except Exception as error:  # noqa: BLE001 - what reaches the caller is looked at
                raised.append(type(error).__name__)
    memory.clear()
    return {"raised": raised, "seconds": time.monotonic() - began}


def handed_over(at: Provider) -> dict[str, Any]:
    """An agent whose tool hands over to another agent of the graph around."""

    @tool
    def transfer(query: str) -> Any:
        """Hand over to the expert."""
        return Command(goto="expert", graph=Command.PARENT, update={"messages": []})

    first = create_agent(
        AskingModel(responses=[""], tool="transfer", turns=1), [transfer], name="first"
    )
    expert = create_agent(AskingModel(responses=["Done."], turns=0), [search], name="expert")
    graph = StateGraph(MessagesState)
    graph.add_node("first", first, destinations=("expert",))
    graph.add_node("expert", expert)
    graph.add_edge(START, "first")
    graph.compile(name="team").invoke(ASKED)
    return _seen()


def odd(at: Provider) -> dict[str, Any]:
    """Whatever an application may put into names, tags and metadata: nothing of ours breaks it."""
    said = {"ls_temperature": object(), "ls_model_name": 7, "ls_provider": b"x", "thread_id": []}
    answer = (
        FakeListChatModel(responses=["ok"])
        .with_config({"metadata": said, "tags": ["graph:step:x"], "run_name": ""})
        .invoke("Otters?")
    )
    lamb = RunnableLambda(lambda text: text).with_config({"metadata": said, "run_name": "\udcff"})
    return {"answer": answer.content, "same": lamb.invoke("x"), "orphans": _seen()["orphans"]}


def inside_spans(at: Provider) -> dict[str, Any]:
    """Spans of the application's own, around and inside."""
    model = FakeListChatModel(responses=["ok"])

    def ask(text: str) -> str:
        with agentguard.task_span("own work"):
            return str(model.invoke(text).content)

    with agentguard.task_span("outside"):
        RunnableLambda(ask, name="ask").invoke("Otters?")
        asyncio.run(RunnableLambda(ask, name="ask").ainvoke("Otters?"))
    return _seen()


SCENARIOS: dict[str, Callable[[Provider], dict[str, Any]]] = {
    each.__name__: each
    for each in (
        no_http,
        reversible,
        interrupted,
        abandoned,
        abandoned_async,
        cancelled,
        denied,
        translated,
        told_to_others,
        retrieved,
        cached,
        several,
        streamed,
        retried,
        handed_over,
        odd,
        inside_spans,
    )
}


def main() -> None:
    """Run those named on the command line, by default all."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    handle = agentguard.init(
        tracer_provider=provider, endpoint="http://127.0.0.1:9", capture_content=True
    )
    LangChainInstrumentor().instrument()
    for name in sys.argv[1:] or SCENARIOS:
        memory.clear()
        with ProviderServer() as server:
            found = SCENARIOS[name](Provider(server.base_url, server.api_key, "loop"))
        sys.stdout.write(json.dumps({"scenario": name, "found": found}, default=str) + "\n")
    handle.shutdown()


if __name__ == "__main__":
    main()
