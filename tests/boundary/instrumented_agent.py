"""A runaway agent that catches everything, traced by somebody else's instrumentor, under one guard.

    python tests/boundary/instrumented_agent.py genai

For each line of its input (`loop stream http://127.0.0.1:8000/v1 sk-1`: the guard, how it
calls, the provider's base URL and key) it runs away once, and prints one JSON line: what stopped it
and when, and what was counted.
"""

import asyncio
import json
import sys
import time
from typing import Any

import openai
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from agentguard.demo.instrumentors import INSTRUMENTORS

TURNS = 100
PACED_S = 1.0
GUARDS = {
    "loop": lambda: agentguard.LoopGuard(),
    "budget": lambda: agentguard.BudgetGuard(max_calls=4),
    "dollars": lambda: agentguard.BudgetGuard(max_cost_usd=0.0001),
    "deadline": lambda: agentguard.TimeoutGuard(max_seconds=0.5),
}


def pause(guard: str, began: list[float]) -> float:
    """Seconds until the next turn: a deadline has to come before the turns are over."""
    return 0.05 if guard == "deadline" and began[-1] - began[0] < PACED_S else 0


def request(guard: str, turn: int) -> dict[str, Any]:
    """A request; every one is the same where that is what is to be found."""
    text = "the same question" if guard == "loop" else f"question {turn}"
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}


def sync(client: openai.OpenAI, guard: str, streamed: bool, began: list[float]) -> None:
    """Turns in a thread; notes when each began."""
    for turn in range(TURNS):
        began.append(time.time())
        try:
            answer = client.chat.completions.create(**request(guard, turn), stream=streamed)
            for _ in answer if streamed else ():
                pass
        except Exception:  # noqa: BLE001, S110 - this is what is wrong with it
            pass
        time.sleep(pause(guard, began))


async def asynchronous(
    client: openai.AsyncOpenAI, guard: str, streamed: bool, began: list[float]
) -> None:
    """Turns in a task; notes when each began."""
    async with client:
        for turn in range(TURNS):
            began.append(time.time())
            try:
                answer = await client.chat.completions.create(
                    **request(guard, turn), stream=streamed
                )
                if streamed:
                    async for _ in answer:
                        pass
            except Exception:  # noqa: BLE001, S110 - this is what is wrong with it
                pass
            await asyncio.sleep(pause(guard, began))


def runaway(
    guard: str, how: str, base_url: str, api_key: str, memory: InMemorySpanExporter
) -> dict[str, Any]:
    """Run away once; what stopped it, and what was counted."""
    memory.clear()
    began: list[float] = []
    client: dict[str, Any] = {"base_url": base_url, "api_key": api_key, "max_retries": 0}
    streamed = how.endswith("stream")
    run = agentguard.run("runaway", guards=[GUARDS[guard]()])
    try:
        with run:
            if how.startswith("async"):
                asyncio.run(asynchronous(openai.AsyncOpenAI(**client), guard, streamed, began))
            else:
                sync(openai.OpenAI(**client), guard, streamed, began)
    except agentguard.RunStopped:
        pass
    stop = run.stopped
    assert stop is not None
    spans = [span.name for span in memory.get_finished_spans()]
    return {
        "guard": stop.guard,
        "at": stop.at,
        "began": began,
        "calls": run.tally.calls,
        "refused": run.tally.refused.total(),
        "tokens": sum(run.tally.usage),
        "guard_spans": sum(name.startswith("guard ") for name in spans),
    }


def main(instrumentor: str) -> None:
    """Run away for each line of the input."""
    provider, memory = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
    if instrumentor != "none":
        INSTRUMENTORS[instrumentor].instrument()
    for line in sys.stdin:
        sys.stdout.write(json.dumps(runaway(*line.split(), memory)) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
