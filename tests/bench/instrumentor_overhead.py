"""One library's call, traced by one instrumentor: microseconds a call.

    python tests/bench/instrumentor_overhead.py langchain guarded 300

The model's answer is made in the process, so that what is measured is the library and what was put
around it. Spans go to a batch processor that throws them away. Times are those of the thread.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from importlib import import_module
from statistics import median
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

WARM_UP = 30
MODEL = "gpt-4o-mini"
QUESTION = [{"role": "user", "content": "Do otters hold hands when they sleep? " * 8}]
os.environ |= {
    "OPENAI_API_KEY": "sk-bench",
    "CREWAI_DISABLE_TELEMETRY": "true",
    "CREWAI_TRACING_ENABLED": "false",
    "CREWAI_DISABLE_VERSION_CHECK": "true",
    "LITELLM_LOCAL_MODEL_COST_MAP": "true",
    "OPENAI_AGENTS_DISABLE_TRACING": "1",
}

# Where each project keeps its instrumentor of each library.
OTHERS = {
    ("genai", "openai"): "opentelemetry.instrumentation.genai.openai:OpenAIInstrumentor",
    ("openinference", "openai"): "openinference.instrumentation.openai:OpenAIInstrumentor",
    ("traceloop", "openai"): "opentelemetry.instrumentation.openai:OpenAIInstrumentor",
    ("openinference", "langchain"): "openinference.instrumentation.langchain:LangChainInstrumentor",
    ("traceloop", "langchain"): "opentelemetry.instrumentation.langchain:LangchainInstrumentor",
    ("openinference", "llamaindex"): (
        "openinference.instrumentation.llama_index:LlamaIndexInstrumentor"
    ),
    ("traceloop", "llamaindex"): "opentelemetry.instrumentation.llamaindex:LlamaIndexInstrumentor",
    ("openinference", "litellm"): "openinference.instrumentation.litellm:LiteLLMInstrumentor",
    ("openinference", "openai-agents"): (
        "openinference.instrumentation.openai_agents:OpenAIAgentsInstrumentor"
    ),
    ("traceloop", "openai-agents"): (
        "opentelemetry.instrumentation.openai_agents:OpenAIAgentsInstrumentor"
    ),
    ("openinference", "autogen"): (
        "openinference.instrumentation.autogen_agentchat:AutogenAgentChatInstrumentor"
    ),
    ("openinference", "crewai"): "openinference.instrumentation.crewai:CrewAIInstrumentor",
}

Call = Callable[[], Any]


class _Discard(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def answers(http: Any) -> Any:
    """What stands for the network in the client's own HTTP library."""
    chat = {
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
    message = {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-opus-4-6",
        "content": [{"type": "text", "text": "They do. " * 8}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 80, "output_tokens": 40},
    }
    body = {"/v1/messages": message}

    def respond(request: Any) -> Any:
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
    return lambda: client.chat.completions.create(model=MODEL, messages=QUESTION)


def anthropic_call() -> Call:
    """A message."""
    import anthropic

    http = _http(anthropic)
    client = anthropic.Anthropic(
        api_key="sk-bench", http_client=http.Client(transport=answers(http))
    )
    return lambda: client.messages.create(
        model="claude-opus-4-6", max_tokens=256, messages=QUESTION
    )


def langchain_call() -> Call:
    """A chain of a prompt, a chat model and a parser."""
    import openai
    from langchain_core.output_parsers import StrOutputParser
    from langchain_core.prompts import ChatPromptTemplate
    from langchain_openai import ChatOpenAI

    http = _http(openai)
    model = ChatOpenAI(model=MODEL, http_client=http.Client(transport=answers(http)))
    chain = ChatPromptTemplate.from_messages([("user", "{question}")]) | model | StrOutputParser()
    return lambda: chain.invoke({"question": QUESTION[0]["content"]})


def llamaindex_call() -> Call:
    """A chat with the OpenAI model of LlamaIndex."""
    import openai
    from llama_index.core.llms import ChatMessage
    from llama_index.llms.openai import OpenAI

    http = _http(openai)
    model = OpenAI(model=MODEL, http_client=http.Client(transport=answers(http)))
    return lambda: model.chat([ChatMessage(role="user", content=QUESTION[0]["content"])])


def litellm_call() -> Call:
    """A completion."""
    import litellm
    import openai

    http = _http(openai)
    client = openai.OpenAI(http_client=http.Client(transport=answers(http)))
    return lambda: litellm.completion(model=f"openai/{MODEL}", messages=QUESTION, client=client)


def agents_call() -> Callable[[], Awaitable[Any]]:
    """One run of one agent."""
    import openai
    from agents import Agent, OpenAIChatCompletionsModel, Runner

    http = _http(openai)
    client = openai.AsyncOpenAI(http_client=http.AsyncClient(transport=answers(http)))
    model = OpenAIChatCompletionsModel(model=MODEL, openai_client=client)
    agent = Agent(name="Otter", instructions="Answer.", model=model)
    return lambda: Runner.run(agent, QUESTION[0]["content"])


def autogen_call() -> Callable[[], Awaitable[Any]]:
    """One run of one agent."""
    import openai
    from autogen_agentchat.agents import AssistantAgent
    from autogen_ext.models.openai import OpenAIChatCompletionClient

    http = _http(openai)
    client = OpenAIChatCompletionClient(
        model=MODEL, http_client=http.AsyncClient(transport=answers(http))
    )

    async def run() -> Any:
        return await AssistantAgent("otter", client).run(task=QUESTION[0]["content"])

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
    task = Task(description=QUESTION[0]["content"], expected_output="An answer", agent=agent)
    return lambda: Crew(agents=[agent], tasks=[task]).kickoff()


CALLS: dict[str, Callable[[], Any]] = {
    "openai": openai_call,
    "anthropic": anthropic_call,
    "langchain": langchain_call,
    "llamaindex": llamaindex_call,
    "litellm": litellm_call,
    "openai-agents": agents_call,
    "autogen": autogen_call,
    "crewai": crewai_call,
}


def main(library: str, who: str, calls: int) -> None:
    """Measure, and print the line."""
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(
        BatchSpanProcessor(_Discard(), max_queue_size=100_000, schedule_delay_millis=50)
    )
    scope: Any = nullcontext()
    if who in ("ours", "guarded"):
        import agentguard
        from agentguard.instrumentation import instrument

        trace.set_tracer_provider(provider)
        instrument(["all"], provider)
        if who == "guarded":
            budget = agentguard.BudgetGuard(max_calls=10**9)
            limits = [budget, agentguard.TimeoutGuard(max_seconds=10**6)]
            scope = agentguard.run("bench", guards=[*limits, agentguard.LoopGuard(mode="observe")])
        else:
            scope = agentguard.run("bench")
    elif who != "none":
        trace.set_tracer_provider(provider)
        module, _, name = OTHERS[who, library].partition(":")
        getattr(import_module(module), name)().instrument(tracer_provider=provider)
    call = CALLS[library]()
    times = (
        asyncio.run(_timed_async(call, scope, calls))
        if library in _ASYNC
        else _timed(call, scope, calls)
    )
    times.sort()
    line = {"median_us": median(times), "p99_us": times[int(len(times) * 0.99)]}
    sys.stdout.write("\n" + json.dumps(line) + "\n")
    sys.stdout.flush()
    os._exit(0)


_ASYNC = ("openai-agents", "autogen")


def _timed(call: Call, scope: Any, calls: int) -> list[float]:
    times = []
    with scope:
        for turn in range(WARM_UP + calls):
            if turn == WARM_UP:
                gc.freeze()
            began = time.thread_time_ns()
            call()
            times.append((time.thread_time_ns() - began) / 1000)
    return times[WARM_UP:]


async def _timed_async(call: Callable[[], Awaitable[Any]], scope: Any, calls: int) -> list[float]:
    times = []
    with scope:
        for turn in range(WARM_UP + calls):
            if turn == WARM_UP:
                gc.freeze()
            began = time.thread_time_ns()
            await call()
            times.append((time.thread_time_ns() - began) / 1000)
    return times[WARM_UP:]


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]))
