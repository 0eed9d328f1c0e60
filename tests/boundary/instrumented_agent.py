"""A runaway agent that catches everything, traced by somebody else's instrumentor, under one guard.

    python tests/boundary/instrumented_agent.py genai loop stream

Prints one JSON line: what stopped it and when, and what was counted. OPENAI_BASE_URL and
OPENAI_API_KEY name the provider.
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
BEGAN: list[float] = []
GUARDS = {
    "loop": lambda: agentguard.LoopGuard(),
    "budget": lambda: agentguard.BudgetGuard(max_calls=4),
    "dollars": lambda: agentguard.BudgetGuard(max_cost_usd=0.0001),
    "deadline": lambda: agentguard.TimeoutGuard(max_seconds=0.5),
}


def request(guard: str, turn: int) -> dict[str, Any]:
    """A request; every one is the same where that is what is to be found."""
    text = "the same question" if guard == "loop" else f"question {turn}"
    return {"model": "gpt-4o-mini", "messages": [{"role": "user", "content": text}]}


def sync(guard: str, streamed: bool) -> None:
    """Turns in a thread."""
    client = openai.OpenAI(max_retries=0)
    for turn in range(TURNS):
        BEGAN.append(time.time())
        try:
            answer = client.chat.completions.create(**request(guard, turn), stream=streamed)
            for _ in answer if streamed else ():
                pass
        except Exception:  # noqa: BLE001, S110 - this is what is wrong with it
            pass
        time.sleep(0.05 if guard == "deadline" else 0)


async def asynchronous(guard: str, streamed: bool) -> None:
    """Turns in a task."""
    async with openai.AsyncOpenAI(max_retries=0) as client:
        for turn in range(TURNS):
            BEGAN.append(time.time())
            try:
                answer = await client.chat.completions.create(
                    **request(guard, turn), stream=streamed
                )
                if streamed:
                    async for _ in answer:
                        pass
            except Exception:  # noqa: BLE001, S110 - this is what is wrong with it
                pass
            await asyncio.sleep(0.05 if guard == "deadline" else 0)


def main(instrumentor: str, guard: str, how: str) -> None:
    """Run it, and print the line."""
    provider, memory = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
    if instrumentor != "none":
        INSTRUMENTORS[instrumentor].instrument()
    run = agentguard.run("runaway", guards=[GUARDS[guard]()])
    try:
        with run:
            if how.startswith("async"):
                asyncio.run(asynchronous(guard, how.endswith("stream")))
            else:
                sync(guard, how.endswith("stream"))
    except agentguard.RunStopped:
        pass
    stop = run.stopped
    assert stop is not None
    spans = [span.name for span in memory.get_finished_spans()]
    line = {
        "guard": stop.guard,
        "at": stop.at,
        "began": BEGAN,
        "calls": run.tally.calls,
        "refused": run.tally.refused.total(),
        "tokens": sum(run.tally.usage),
        "guard_spans": sum(name.startswith("guard ") for name in spans),
    }
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
