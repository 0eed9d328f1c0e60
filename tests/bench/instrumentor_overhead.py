"""One library's call, bare or instrumented: microseconds a call.

    python -m tests.bench.instrumentor_overhead langchain openinference 100

The model's answer is made in the process, so that what is measured is the library and what was put
around it. Spans go to a batch processor that throws them away. Times are those of the thread, and
are told beside those of a yardstick: a piece of work that is always the same, done after each call.
A shared machine is up to twice as slow at some times as at others, and then both are.
One instrumentor a process: some leave the library several times slower when they are taken out.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import random
import sys
import time
import zlib
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import nullcontext
from contextvars import copy_context
from importlib import import_module
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import agentguard
from agentguard.instrumentation import instrument
from tests.integrations.others import instrument_as

WARM_UP = 20
MODEL = "gpt-4o-mini"
WORDS = ["otter", "river", "sleeps", "hand", "raft", "kelp", "stone", "shell", "clam", "dives"]
WORDS += ["fur", "winter", "warm", "pup", "floats", "current", "bank", "moss", "heron", "reed"]
os.environ |= {
    "OPENAI_API_KEY": "sk-bench",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
}

Call = Callable[[str], Any]
AsyncCall = Callable[[str], Awaitable[Any]]
Times = list[tuple[float, float]]


def question(turn: int) -> str:
    """Other words each time, so that nothing looks like a loop."""
    return " ".join(random.Random(turn).choices(WORDS, k=60))  # noqa: S311 - no secret


def messages(asked: str) -> list[dict[str, str]]:
    """The question as a conversation."""
    return [{"role": "user", "content": asked}]


class _Discard(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def answers(http: Any) -> Any:
    """What stands for the network in the client's own HTTP library."""
    chat: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [
            {
                "index": 0,
                "finish_reason": "stop",
                "message": {"role": "assistant", "content": "Final Answer: they do. " * 8},
            }
        ],
        "usage": {"prompt_tokens": 80, "completion_tokens": 40, "total_tokens": 120},
    }
    message: dict[str, Any] = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-4-6",
        "content": [{"type": "text", "text": "They do. " * 8}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 80, "output_tokens": 40},
    }
    content: dict[str, Any] = {
        "candidates": [
            {
                "index": 0,
                "finishReason": "STOP",
                "content": {"role": "model", "parts": [{"text": "They do. " * 8}]},
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 80,
            "candidatesTokenCount": 40,
            "totalTokenCount": 120,
        },
        "modelVersion": "gemini-2.5-flash",
    }
    response: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "model": MODEL,
        "output": [
            {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "status": "completed",
                "content": [{"type": "output_text", "text": "They do.", "annotations": []}],
            }
        ],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": 80,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 40,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 120,
        },
    }
    body = {
        "/v1/responses": response,
        "/v1/messages": message,
        "/v1beta/models/gemini-2.5-flash:generateContent": content,
    }

    def respond(request: Any) -> Any:
        # As each question, so each answer: nothing looks like a loop.
        words = question(zlib.crc32(request.content))
        chat["choices"][0]["message"]["content"] = f"Final Answer: {words}"
        message["content"][0]["text"] = words
        response["output"][0]["content"][0]["text"] = words
        content["candidates"][0]["content"]["parts"][0]["text"] = words
        return http.Response(200, json=body.get(request.url.path, chat))

    return http.MockTransport(respond)


def _http(client: Any) -> Any:
    """The HTTP library that the installed version of a client speaks."""
    base = import_module(f"{client.__name__}._base_client")
    return getattr(base, "httpx2", None) or base.httpx


def openai_call() -> Call:
    """A chat completion."""
    import openai

    http = _http(openai)
    client = openai.OpenAI(http_client=http.Client(transport=answers(http)))
    return lambda asked: client.chat.completions.create(model=MODEL, messages=messages(asked))


def anthropic_call() -> Call:
    """A message."""
    import anthropic

    http = _http(anthropic)
    client = anthropic.Anthropic(
        api_key="sk-bench", http_client=http.Client(transport=answers(http))
    )
    return lambda asked: client.messages.create(
        model="claude-opus-4-6", max_tokens=256, messages=messages(asked)
    )


def google_genai_call() -> Call:
    """Contents."""
    import httpx
    from google import genai
    from google.genai import types

    client = genai.Client(
        api_key="sk-bench",
        http_options=types.HttpOptions(httpx_client=httpx.Client(transport=answers(httpx))),
    )
    return lambda asked: client.models.generate_content(model="gemini-2.5-flash", contents=asked)


def mcp_call() -> AsyncCall:
    """A tool's call, of a server in the same process."""
    from mcp.server.fastmcp import FastMCP
    from mcp.shared.memory import create_connected_server_and_client_session as connected

    server = FastMCP("library", log_level="WARNING")

    @server.tool()
    def search(query: str) -> str:
        """Search the library."""
        return f"nothing of {query}"

    # Kept open to the end: one of them ends with the object that opened it.
    opened: list[Any] = []

    async def run(asked: str) -> Any:
        if not opened:
            opening = connected(server._mcp_server)
            opened.extend((await opening.__aenter__(), opening))
        return await opened[0].call_tool("search", {"query": asked})

    return run


def langchain_call() -> Call:
    """A chain of a prompt, a chat model and a parser."""
    import openai
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_openai import ChatOpenAI

    http = _http(openai)
    model = ChatOpenAI(model=MODEL, http_client=http.Client(transport=answers(http)))
    chain = ChatPromptTemplate.from_messages([("user", "{question}")]) | model | StrOutputParser()
    return lambda asked: chain.invoke({"question": asked})


def llamaindex_call() -> Call:
    """A chat with the OpenAI model of LlamaIndex."""
    import openai
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai import OpenAI

    http = _http(openai)
    model = OpenAI(model=MODEL, http_client=http.Client(transport=answers(http)))
    return lambda asked: model.chat([ChatMessage(role="user", content=asked)])


def litellm_call() -> Call:
    """A completion."""
    import litellm
    import openai

    http = _http(openai)
    client = openai.OpenAI(http_client=http.Client(transport=answers(http)))
    name = f"openai/{MODEL}"
    return lambda asked: litellm.completion(model=name, messages=messages(asked), client=client)


def agents_call() -> AsyncCall:
    """One run of one agent."""
    import openai
    from agents import Agent, OpenAIResponsesModel, Runner, set_trace_processors

    # Traces are made, for whoever takes them; the library's own exporter would send them away.
    set_trace_processors([])
    http = _http(openai)
    client = openai.AsyncOpenAI(http_client=http.AsyncClient(transport=answers(http)))
    model = OpenAIResponsesModel(model=MODEL, openai_client=client)
    agent = Agent(name="Otter", instructions="Answer.", model=model)
    return lambda asked: Runner.run(agent, asked)


def autogen_call() -> AsyncCall:
    """One run of one agent."""
    import openai
    from autogen_agentchat.agents import AssistantAgent
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    http = _http(openai)
    client = OpenAIChatCompletionClient(
        model=MODEL, http_client=http.AsyncClient(transport=answers(http))
    )

    async def run(asked: str) -> Any:
        return await AssistantAgent("otter", client).run(task=asked)

    return run


def crewai_call() -> Call:
    """One crew with one agent and one task."""
    import openai
    from crewai import LLM, Agent, Crew, Task

    http = _http(openai)
    model = LLM(model=f"openai/{MODEL}")
    client = openai.OpenAI(http_client=http.Client(transport=answers(http)))
    for name in ("client", "_client"):
        if hasattr(model, name):
            setattr(model, name, client)
    agent = Agent(role="Otter", goal="Answer", backstory="An otter", llm=model)

    def run(asked: str) -> Any:
        task = Task(description=asked, expected_output="An answer", agent=agent)
        return Crew(agents=[agent], tasks=[task]).kickoff()

    return run


CALLS: dict[str, Callable[[], Any]] = {
    "openai": openai_call,
    "anthropic": anthropic_call,
    "google-genai": google_genai_call,
    "mcp": mcp_call,
    "langchain": langchain_call,
    "llamaindex": llamaindex_call,
    "litellm": litellm_call,
    "openai-agents": agents_call,
    "autogen": autogen_call,
    "crewai": crewai_call,
}


def instrumented(who: str, library: str, provider: TracerProvider) -> Any:
    """Instrument the library, for the rest of the process; the scope that calls are made in."""
    if who in ("ours", "guarded"):
        instrument(["all"], provider)
        return agentguard.run("bench", guards=_guards() if who == "guarded" else [])
    if who != "none":
        instrument_as(who, library, provider)
    return nullcontext()


def _guards() -> list[agentguard.Guard]:
    budget = agentguard.BudgetGuard(max_calls=10**9)
    return [budget, agentguard.TimeoutGuard(max_seconds=10**6), agentguard.LoopGuard()]


def main(library: str, who: str, calls: int) -> None:
    """Measure and print the times."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(_Discard(), max_queue_size=100_000, schedule_delay_millis=50)
    )
    trace.set_tracer_provider(provider)
    call, timed = CALLS[library](), _Timer() if library in _ASYNC else _timed
    with instrumented(who, library, provider):
        times = timed(call, calls)
    sys.stdout.write("\n" + json.dumps(times) + "\n")
    sys.stdout.flush()
    os._exit(0)


_ASYNC = ("openai-agents", "autogen", "mcp")


def _timed(call: Call, calls: int) -> Times:
    """Microseconds of each call and its yardstick; the first ones do not count."""
    return [_ending(began, call(asked)) for began, asked in _asked(calls)][WARM_UP:]


class _Timer:
    """The same of calls that are awaited, all in one event loop."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()

    def __call__(self, call: AsyncCall, calls: int) -> Times:
        """Await them one after the other."""

        async def all_of_them() -> Times:
            return [_ending(began, await call(asked)) for began, asked in _asked(calls)]

        return self._runner.run(all_of_them(), context=copy_context())[WARM_UP:]


def _asked(calls: int) -> Iterator[tuple[int, str]]:
    gc.collect()
    gc.disable()
    for turn in range(calls + WARM_UP):
        asked = question(turn)
        yield time.thread_time_ns(), asked
    gc.enable()


def _ending(began: int, _: object) -> tuple[float, float]:
    ended = time.thread_time_ns()
    _yardstick()
    return (ended - began) / 1000, (time.thread_time_ns() - ended) / 1000


def _yardstick() -> None:
    for turn in range(4):
        document = {word: [turn, word.upper(), {"n": turn}] for word in WORDS}
        json.loads(json.dumps(document, sort_keys=True))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
