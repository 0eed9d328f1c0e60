"""Agents that are nothing but the `openai` client and a loop that catches everything."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import wait
from contextlib import suppress
from typing import Any

import openai

import agentguard
from tests.integrations.driving import TURNS, Provider, main

MODEL = "gpt-4o-mini"


def _asked(at: Provider, turn: int) -> dict[str, Any]:
    return {"model": MODEL, "messages": [{"role": "user", "content": at.question(turn)}]}


def _client(at: Provider) -> openai.OpenAI:
    return openai.OpenAI(base_url=at.base_url, api_key=at.api_key)


def sync(at: Provider) -> None:
    """Turn after turn; whatever fails is tried again."""
    with _client(at) as client:
        for turn in range(TURNS):
            with suppress(Exception):
                client.chat.completions.create(**_asked(at, turn))
            time.sleep(at.pause)


def stream(at: Provider) -> None:
    """The same, its answers read piece by piece."""
    with _client(at) as client:
        for turn in range(TURNS):
            with suppress(Exception):
                for _ in client.chat.completions.create(
                    **_asked(at, turn), stream=True, stream_options={"include_usage": True}
                ):
                    pass


def responses(at: Provider) -> None:
    """The same over the Responses API."""
    with _client(at) as client:
        for turn in range(TURNS):
            with suppress(Exception):
                client.responses.create(model=MODEL, input=at.question(turn))
            time.sleep(at.pause)


def parallel(at: Provider) -> None:
    """Several threads at once."""
    with _client(at) as client, agentguard.ContextThreadPoolExecutor(4) as pool:

        def turns(lane: int) -> None:
            for turn in range(TURNS):
                with suppress(Exception):
                    client.chat.completions.create(**_asked(at, turn * 4 + lane))
                time.sleep(at.pause)

        wait([pool.submit(turns, lane) for lane in range(4)])


async def asynchronous(at: Provider) -> None:
    """Turn after turn in a task."""
    async with openai.AsyncOpenAI(base_url=at.base_url, api_key=at.api_key) as client:
        for turn in range(TURNS):
            with suppress(Exception):
                await client.chat.completions.create(**_asked(at, turn))
            await asyncio.sleep(at.pause)


async def async_stream(at: Provider) -> None:
    """The same, streamed."""
    async with openai.AsyncOpenAI(base_url=at.base_url, api_key=at.api_key) as client:
        for turn in range(TURNS):
            with suppress(Exception):
                async for _ in await client.chat.completions.create(
                    **_asked(at, turn), stream=True, stream_options={"include_usage": True}
                ):
                    pass


FORMS = {
    "sync": sync,
    "stream": stream,
    "responses": responses,
    "parallel": parallel,
    "async": asynchronous,
    "async stream": async_stream,
}

if __name__ == "__main__":
    main(FORMS)
