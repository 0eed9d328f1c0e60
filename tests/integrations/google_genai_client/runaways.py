"""Agents that are nothing but the `google-genai` client and a loop that catches everything."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import wait
from contextlib import suppress
from typing import Any

from google import genai
from google.genai import types

import agentguard
from tests.integrations import driving
from tests.integrations.driving import TURNS, Provider, main

MODEL = "gemini-2.5-flash"


def _client(at: Provider) -> genai.Client:
    return genai.Client(
        api_key=at.api_key, http_options=types.HttpOptions(base_url=at.root, api_version="v1beta")
    )


def sync(at: Provider) -> None:
    """Turn after turn; whatever fails is tried again."""
    client = _client(at)
    for turn in range(TURNS):
        with suppress(Exception):
            client.models.generate_content(model=MODEL, contents=at.question(turn))
        time.sleep(at.pause)


def stream(at: Provider) -> None:
    """The same, its answers read piece by piece."""
    client = _client(at)
    for turn in range(TURNS):
        with suppress(Exception):
            for _ in client.models.generate_content_stream(model=MODEL, contents=at.question(turn)):
                pass


def search(query: str) -> str:
    """Search the library."""
    return driving.search(query)


def tools(at: Provider) -> None:
    """Automatic function calling, which never comes to an end."""
    client = _client(at)
    calling = types.AutomaticFunctionCallingConfig(maximum_remote_calls=TURNS)
    config = types.GenerateContentConfig(tools=[search], automatic_function_calling=calling)
    for _ in range(3):
        with suppress(Exception):
            client.models.generate_content(model=MODEL, contents=at.question(0), config=config)


def parallel(at: Provider) -> None:
    """Several threads at once."""
    client = _client(at)

    def turns(lane: int) -> None:
        for turn in range(TURNS):
            with suppress(Exception):
                question: Any = at.question(turn * 4 + lane)
                client.models.generate_content(model=MODEL, contents=question)
            time.sleep(at.pause)

    with agentguard.ContextThreadPoolExecutor(4) as pool:
        wait([pool.submit(turns, lane) for lane in range(4)])


async def asynchronous(at: Provider) -> None:
    """Turn after turn in a task."""
    client = _client(at)
    for turn in range(TURNS):
        with suppress(Exception):
            await client.aio.models.generate_content(model=MODEL, contents=at.question(turn))
        await asyncio.sleep(at.pause)


async def async_stream(at: Provider) -> None:
    """The same, streamed."""
    client = _client(at)
    for turn in range(TURNS):
        with suppress(Exception):
            async for _ in await client.aio.models.generate_content_stream(
                model=MODEL, contents=at.question(turn)
            ):
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
