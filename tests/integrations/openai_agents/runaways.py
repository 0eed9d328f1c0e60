"""Agents of the OpenAI Agents SDK that never finish."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import httpx2
from agents import (
    Agent,
    ModelResponse,
    ModelSettings,
    OpenAIChatCompletionsModel,
    OpenAIResponsesModel,
    Runner,
    function_tool,
    set_tracing_disabled,
)
from agents.models.interface import Model
from agents.usage import Usage
from openai import AsyncOpenAI
from openai.types.responses import ResponseFunctionToolCall

from agentguard_integrations.openai_agents import OpenAIAgentsInstrumentor
from tests.integrations import driving
from tests.integrations.driving import TURNS, Provider, main

MODEL = "gpt-4o-mini"

# As those do who have no key of the platform's; spans come all the same.
set_tracing_disabled(disabled=True)
OpenAIAgentsInstrumentor().instrument()


@function_tool
def search(query: str) -> str:
    """Search the library."""
    return driving.search(query)


@function_tool(failure_error_function=None)
def failing(query: str) -> str:
    """Search a library that is closed."""
    raise RuntimeError("the library is closed")


def _agent(at: Provider, *, kind: type = OpenAIChatCompletionsModel, **options: Any) -> Agent:
    client = AsyncOpenAI(base_url=at.base_url, api_key=at.api_key)
    model = kind(model=MODEL, openai_client=client)
    return Agent(
        **{
            "name": "Researcher",
            "instructions": "Search.",
            "tools": [search],
            "model": model,
            **options,
        }
    )


def sync(at: Provider) -> None:
    """`run_sync`."""
    Runner.run_sync(_agent(at), at.question(0), max_turns=TURNS)


async def asynchronous(at: Provider) -> None:
    """`run`, over the Responses API."""
    await Runner.run(_agent(at, kind=OpenAIResponsesModel), at.question(0), max_turns=TURNS)


async def stream(at: Provider) -> None:
    """`run_streamed`, its events read."""
    # What the SDK asks OpenAI's own servers for by itself.
    agent = _agent(at, model_settings=ModelSettings(include_usage=True))
    result = Runner.run_streamed(agent, at.question(0), max_turns=TURNS)
    async for _ in result.stream_events():
        pass


async def parallel(at: Provider) -> None:
    """Several runs at once."""
    await asyncio.gather(
        *(Runner.run(_agent(at), at.question(lane), max_turns=TURNS) for lane in range(3))
    )


async def handoffs(at: Provider) -> None:
    """An agent that has another one as its tool, and hands over to it."""
    inner = _agent(at, name="Librarian")
    outer = _agent(
        at, tools=[inner.as_tool("ask", "Ask the librarian.", parameters=None)], handoffs=[inner]
    )
    await Runner.run(outer, at.question(0), max_turns=TURNS)


async def swallowing(at: Provider) -> None:
    """Code that catches everything and starts over."""
    agent = _agent(at)
    for turn in range(TURNS):
        with suppress(Exception):
            await Runner.run(agent, at.question(turn), max_turns=TURNS)


class Bare(Model):
    """A model that speaks to its provider without any client that is known."""

    def __init__(self, at: Provider) -> None:
        self.model = MODEL
        self._at = at

    async def get_response(self, *args: Any, **given: Any) -> ModelResponse:
        """One request, over plain HTTP."""
        parameters = ("system_instructions", "input", "model_settings", "tools")
        given = dict(zip(parameters, args, strict=False)) | given
        names = [{"type": "function", "function": {"name": tool.name}} for tool in given["tools"]]
        turns = [{"role": "user", "content": json.dumps(given["input"])}]
        body = {"model": MODEL, "messages": turns, "tools": names}
        answer = await asyncio.to_thread(self._post, body)
        usage = answer["usage"]
        wanted = answer["choices"][0]["message"]["tool_calls"][0]
        call = ResponseFunctionToolCall(
            type="function_call", call_id=wanted["id"], **wanted["function"]
        )
        used = Usage(
            requests=1,
            input_tokens=usage["prompt_tokens"],
            output_tokens=usage["completion_tokens"],
        )
        return ModelResponse(output=[call], usage=used, response_id=answer["id"])

    def _post(self, body: dict[str, Any]) -> Any:
        key = {"Authorization": f"Bearer {self._at.api_key}"}
        return httpx2.post(f"{self._at.base_url}/chat/completions", json=body, headers=key).json()

    def stream_response(self, *_: Any, **__: Any) -> AsyncIterator[Any]:
        """Not spoken."""
        raise NotImplementedError


async def bare(at: Provider) -> None:
    """A model that no client's edge guards."""
    await Runner.run(_agent(at, model=Bare(at)), at.question(0), max_turns=TURNS)


FORMS = {
    "sync": sync,
    "async": asynchronous,
    "stream": stream,
    "parallel": parallel,
    "agent as a tool": handoffs,
    "swallowing": swallowing,
    "own model": bare,
}

if __name__ == "__main__":
    main(FORMS)
