"""Agents that call models through LiteLLM, and catch everything."""

from __future__ import annotations

import asyncio
import time
from concurrent.futures import wait
from contextlib import suppress
from typing import Any

import litellm

import agentguard
from tests.integrations.driving import TURNS, Provider, main

OPENAI = "openai/gpt-4o-mini"
ANTHROPIC = "anthropic/claude-opus-4-6"


def _asked(at: Provider, turn: int, model: str = OPENAI) -> dict[str, Any]:
    return {
        "model": model,
        "messages": [{"role": "user", "content": at.question(turn)}],
        "api_base": at.base_url if model == OPENAI else at.root,
        "api_key": at.api_key,
        "max_tokens": 256,
    }


def sync(at: Provider) -> None:
    """Turn after turn, through the `openai` client."""
    for turn in range(TURNS):
        with suppress(Exception):
            litellm.completion(**_asked(at, turn), num_retries=2)
        time.sleep(at.pause)


def own_client(at: Provider) -> None:
    """The same through LiteLLM's own client for Anthropic."""
    for turn in range(TURNS):
        with suppress(Exception):
            litellm.completion(**_asked(at, turn, ANTHROPIC))
        time.sleep(at.pause)


def stream(at: Provider) -> None:
    """Streamed, through LiteLLM's own client."""
    for turn in range(TURNS):
        with suppress(Exception):
            for _ in litellm.completion(**_asked(at, turn, ANTHROPIC), stream=True):
                pass


def parallel(at: Provider) -> None:
    """Several threads at once."""

    def turns(lane: int) -> None:
        for turn in range(TURNS):
            with suppress(Exception):
                litellm.completion(**_asked(at, turn * 4 + lane))
            time.sleep(at.pause)

    with agentguard.ContextThreadPoolExecutor(4) as pool:
        wait([pool.submit(turns, lane) for lane in range(4)])


async def asynchronous(at: Provider) -> None:
    """Turn after turn in a task, through LiteLLM's own client."""
    for turn in range(TURNS):
        with suppress(Exception):
            await litellm.acompletion(**_asked(at, turn, ANTHROPIC))
        await asyncio.sleep(at.pause)


async def async_stream(at: Provider) -> None:
    """The same, streamed."""
    for turn in range(TURNS):
        with suppress(Exception):
            async for _ in await litellm.acompletion(**_asked(at, turn, ANTHROPIC), stream=True):
                pass


async def fallbacks(at: Provider) -> None:
    """A router that tries again, and then another model."""
    names = {"first": OPENAI, "second": ANTHROPIC}
    router = litellm.Router(
        model_list=[
            {
                "model_name": name,
                "litellm_params": {
                    "model": model,
                    "api_base": at.base_url if model == OPENAI else at.root,
                    "api_key": at.api_key,
                },
            }
            for name, model in names.items()
        ],
        fallbacks=[{"first": ["second"]}],
        num_retries=1,
    )
    for turn in range(TURNS):
        question = [{"role": "user", "content": at.question(turn)}]
        await router.acompletion("first", question)
        await asyncio.sleep(at.pause)


FORMS = {
    "sync": sync,
    "own client": own_client,
    "stream": stream,
    "parallel": parallel,
    "async": asynchronous,
    "async stream": async_stream,
    "fallbacks": fallbacks,
}

if __name__ == "__main__":
    main(FORMS)
