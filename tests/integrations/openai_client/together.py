"""The `openai` client under four instrumentors at once: everybody's, in the order given, and ours.

    python -m tests.integrations.openai_client.together ours genai openinference traceloop

Prints one JSON line: the model spans that count, and the provider's own log.
"""

import asyncio
import json
import sys

import openai
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from agentguard.demo.instrumentors import INSTRUMENTORS
from agentguard.demo.provider import ProviderServer
from tests.integrations.spans import Spans


def calls(client: openai.OpenAI) -> None:
    """One call of each kind, plain and streamed."""
    for turn, model in enumerate(["gpt-4o-mini", "gpt-5-mini"]):
        asked = {"model": model, "messages": [{"role": "user", "content": f"Otters {turn}?"}]}
        client.chat.completions.create(**asked)
        for _ in client.chat.completions.create(
            **asked, stream=True, stream_options={"include_usage": True}
        ):
            pass
    client.responses.create(model="gpt-4o-mini", input="Otters?")
    client.embeddings.create(model="text-embedding-3-small", input="Otters")


async def calls_async(client: openai.AsyncOpenAI) -> None:
    """Three at once, and responses."""
    async with client:
        await asyncio.gather(
            *(
                client.chat.completions.create(
                    model="gpt-4o-mini", messages=[{"role": "user", "content": f"Beavers {turn}?"}]
                )
                for turn in range(3)
            )
        )
        await client.responses.create(model="gpt-4o-mini", input="Badgers?")
        async for _ in await client.responses.create(
            model="gpt-5-mini", input="Badgers?", stream=True
        ):
            pass


def main(order: list[str]) -> None:
    """Turn them on in that order, make the calls, print the line."""
    provider, memory = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
    for name in order:
        if name == "ours":
            agentguard.init(tracer_provider=provider, endpoint="http://127.0.0.1:9")
        else:
            INSTRUMENTORS[name].instrument()
    with ProviderServer() as server:
        with agentguard.run("all together") as run:
            at = {"base_url": server.base_url, "api_key": server.api_key}
            with openai.OpenAI(**at) as client:
                calls(client)
            asyncio.run(calls_async(openai.AsyncOpenAI(**at)))
        requests = server.requests()
    spans = Spans(memory.get_finished_spans())
    line = {
        "spans": spans.model_calls(),
        "log": sorted(
            (r.model, r.usage.input, r.usage.cache_read, r.usage.output, r.usage.reasoning)
            for r in requests
            if r.usage
        ),
        "scopes": sorted({s.instrumentation_scope.name for s in spans.all}),
        "calls": run.tally.calls,
        "orphans": spans.orphans(),
    }
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    main(sys.argv[1:])
