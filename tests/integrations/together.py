"""A model client under four instrumentors at once: everybody's and ours, in each order given.

    python -m tests.integrations.together openai "ours genai traceloop" "traceloop genai ours"

Prints one JSON line for each order: the model spans that count, and the provider's own log. Orders
do not meet: each has a process of its own, a copy of one that has the client imported.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
from importlib import import_module
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from agentguard.demo.provider import ProviderServer
from tests.integrations.others import instrument_as
from tests.integrations.spans import Spans


def openai_calls(server: ProviderServer) -> None:
    """One call of each kind, plain and streamed; three at once, and responses."""
    import openai

    at: dict[str, Any] = {"base_url": server.base_url, "api_key": server.api_key}
    with openai.OpenAI(**at) as client:
        for turn, model in enumerate(["gpt-4o-mini", "gpt-5-mini"]):
            asked: Any = {
                "model": model,
                "messages": [{"role": "user", "content": f"Otters {turn}?"}],
            }
            client.chat.completions.create(**asked)
            for _ in client.chat.completions.create(
                **asked, stream=True, stream_options={"include_usage": True}
            ):
                pass
        client.responses.create(model="gpt-4o-mini", input="Otters?")
        client.embeddings.create(model="text-embedding-3-small", input="Otters")

    async def at_once() -> None:
        async with openai.AsyncOpenAI(**at) as client:
            await asyncio.gather(
                *(
                    client.chat.completions.create(
                        model="gpt-4o-mini",
                        messages=[{"role": "user", "content": f"Beavers {turn}?"}],
                    )
                    for turn in range(3)
                )
            )
            await client.responses.create(model="gpt-4o-mini", input="Badgers?")
            async for _ in await client.responses.create(
                model="gpt-5-mini", input="Badgers?", stream=True
            ):
                pass

    asyncio.run(at_once())


def anthropic_calls(server: ProviderServer) -> None:
    """Messages, plain and streamed in both ways; the same of the asynchronous client."""
    import anthropic

    at: dict[str, Any] = {
        "base_url": server.base_url.removesuffix("/v1"),
        "api_key": server.api_key,
    }

    def asked(words: str) -> Any:
        return {
            "model": "claude-opus-4-6",
            "max_tokens": 256,
            "messages": [{"role": "user", "content": words}],
        }

    with anthropic.Anthropic(**at) as client:
        client.messages.create(**asked("Otters?"))
        for _ in client.messages.create(**asked("Otters and kelp?"), stream=True):
            pass
        with client.messages.stream(**asked("Otters and clams?")) as stream:
            for _ in stream.text_stream:
                pass

    async def at_once() -> None:
        async with anthropic.AsyncAnthropic(**at) as client:
            await asyncio.gather(
                *(client.messages.create(**asked(f"Beavers {turn}?")) for turn in range(3))
            )
            async with client.messages.stream(**asked("Badgers?")) as stream:
                await stream.get_final_message()

    asyncio.run(at_once())


def google_genai_calls(server: ProviderServer) -> None:
    """Contents, plain and streamed, in both kinds of the client."""
    from google import genai
    from google.genai import types

    client = genai.Client(
        api_key=server.api_key,
        http_options=types.HttpOptions(
            base_url=server.base_url.removesuffix("/v1"), api_version="v1beta"
        ),
    )
    model = "gemini-2.5-flash"
    client.models.generate_content(model=model, contents="Otters?")
    for _ in client.models.generate_content_stream(model=model, contents="Otters and kelp?"):
        pass

    async def at_once() -> None:
        await asyncio.gather(
            *(
                client.aio.models.generate_content(model=model, contents=f"Beavers {turn}?")
                for turn in range(3)
            )
        )
        async for _ in await client.aio.models.generate_content_stream(
            model=model, contents="Badgers?"
        ):
            pass

    asyncio.run(at_once())


MODULES = {"openai": "openai", "anthropic": "anthropic", "google-genai": "google.genai"}
CALLS = {
    "openai": openai_calls,
    "anthropic": anthropic_calls,
    "google-genai": google_genai_calls,
}


def main(library: str, orders: list[str]) -> None:
    """Try each order in a process of its own; the first that fails is the end."""
    import_module(MODULES[library])
    for order in orders:
        child = os.fork()
        if not child:
            try_order(library, order.split())
            return
        if code := os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]):
            sys.exit(f"{order}: exit code {code}")


def try_order(library: str, order: list[str]) -> None:
    """Turn them on in that order, make the calls, print the line."""
    provider, memory = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
    for name in order:
        if name == "ours":
            agentguard.init(tracer_provider=provider, endpoint="http://127.0.0.1:9")
        else:
            instrument_as(name, library)
    with ProviderServer() as server:
        with agentguard.run("all together") as run:
            CALLS[library](server)
        requests = server.requests()
    spans = Spans(memory.get_finished_spans())
    line = {
        "order": " ".join(order),
        "spans": spans.model_calls(),
        "log": sorted(
            (
                r.model,
                r.usage.input,
                r.usage.cache_read,
                r.usage.output,
                r.usage.reasoning,
            )
            for r in requests
            if r.usage
        ),
        "scopes": sorted({s.instrumentation_scope.name for s in spans.all}),
        "calls": run.tally.calls,
        "orphans": spans.orphans(),
    }
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
