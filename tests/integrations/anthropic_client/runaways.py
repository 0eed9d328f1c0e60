"""Agents that are nothing but the `anthropic` client and a loop that catches everything."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import wait
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import agentguard
from tests.integrations.driving import TURNS, Provider, main

if TYPE_CHECKING or __name__ == "__main__":
    # Whoever only collects the tests need not wait for it.
    import anthropic

MODEL = "claude-opus-4-6"
TOOLS = [
    {
        "name": "search",
        "description": "Search the library.",
        "input_schema": {"type": "object", "properties": {"query": {"type": "string"}}},
    }
]


def _asked(at: Provider, turn: int) -> dict[str, Any]:
    messages = [{"role": "user", "content": at.question(turn)}]
    return {"model": MODEL, "max_tokens": 256, "messages": messages}


def _client(at: Provider) -> anthropic.Anthropic:
    return anthropic.Anthropic(base_url=at.root, api_key=at.api_key)


def sync(at: Provider) -> None:
    """Turn after turn; whatever fails is tried again."""
    with _client(at) as client:
        for turn in range(TURNS):
            with suppress(Exception):
                client.messages.create(**_asked(at, turn))
            time.sleep(at.pause)


def stream(at: Provider) -> None:
    """The same, through the helper that puts a streamed message together."""
    with _client(at) as client:
        for turn in range(TURNS):
            with suppress(Exception), client.messages.stream(**_asked(at, turn)) as pieces:
                for _ in pieces.text_stream:
                    pass


def tools(at: Provider) -> None:
    """A conversation in which the model always wants another search."""
    history: list[Any] = [{"role": "user", "content": at.question(0)}]
    with _client(at) as client:
        for _ in range(TURNS):
            with suppress(Exception):
                said = client.messages.create(
                    model=MODEL, max_tokens=256, messages=history, tools=TOOLS
                )
                history.append({"role": "assistant", "content": said.content})
                history.append({"role": "user", "content": [_found(b) for b in said.content]})
            time.sleep(at.pause)


def _found(block: Any) -> dict[str, Any]:
    if block.type != "tool_use":
        return {"type": "text", "text": "Go on."}
    return {"type": "tool_result", "tool_use_id": block.id, "content": "[]"}


def parallel(at: Provider) -> None:
    """Several threads at once."""
    with _client(at) as client, agentguard.ContextThreadPoolExecutor(4) as pool:

        def turns(lane: int) -> None:
            for turn in range(TURNS):
                with suppress(Exception):
                    client.messages.create(**_asked(at, turn * 4 + lane))
                time.sleep(at.pause)

        wait([pool.submit(turns, lane) for lane in range(4)])


async def asynchronous(at: Provider) -> None:
    """Turn after turn in a task."""
    async with anthropic.AsyncAnthropic(base_url=at.root, api_key=at.api_key) as client:
        for turn in range(TURNS):
            with suppress(Exception):
                await client.messages.create(**_asked(at, turn))
            await asyncio.sleep(at.pause)


async def async_stream(at: Provider) -> None:
    """The same, streamed."""
    async with anthropic.AsyncAnthropic(base_url=at.root, api_key=at.api_key) as client:
        for turn in range(TURNS):
            with suppress(Exception):
                async for _ in await client.messages.create(**_asked(at, turn), stream=True):
                    pass


FORMS = {
    "sync": sync,
    "stream": stream,
    "tools": tools,
    "parallel": parallel,
    "async": asynchronous,
    "async stream": async_stream,
}

if __name__ == "__main__":
    main(FORMS)
