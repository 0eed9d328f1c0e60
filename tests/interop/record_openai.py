"""Calls the local provider through one instrumentor; prints each span's attributes as JSON.

usage: python record_openai.py genai|openinference|traceloop
Prints `{"usage": [...], "spans": [...]}`: what was billed per call, and the spans in call order.
"""

import json
import sys
from dataclasses import asdict
from typing import Any

import openai
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentguard.demo.instrumentors import INSTRUMENTORS
from agentguard.demo.provider import ProviderServer

MODEL = "gpt-5-mini"
MESSAGES: list[Any] = [
    {"role": "system", "content": "Answer at length. " * 60},
    {"role": "user", "content": "What is a span?"},
    {"role": "assistant", "content": "A timed operation."},
    {"role": "user", "content": "And a trace?"},
]


def main(instrumentor: str) -> None:
    """Makes four calls and prints what was billed and what was traced."""
    exporter = InMemorySpanExporter()
    tracing = TracerProvider()
    tracing.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(tracing)
    INSTRUMENTORS[instrumentor].instrument()
    with (
        ProviderServer() as provider,
        openai.OpenAI(api_key=provider.api_key, base_url=provider.base_url) as client,
    ):
        call_everything(client)
        usage = [asdict(r.usage) for r in provider.requests() if r.usage]
    spans = [
        {"scope": span.instrumentation_scope.name, "attributes": dict(span.attributes or {})}
        for span in exporter.get_finished_spans()
    ]
    json.dump({"usage": usage, "spans": spans}, sys.stdout)


def call_everything(client: openai.OpenAI) -> None:
    """One call of each kind."""
    client.chat.completions.create(model=MODEL, messages=MESSAGES)
    stream = client.chat.completions.create(
        model=MODEL, messages=MESSAGES, stream=True, stream_options={"include_usage": True}
    )
    list(stream)
    client.responses.create(model=MODEL, input=MESSAGES)
    client.embeddings.create(model="text-embedding-3-small", input="spans and traces")


if __name__ == "__main__":
    main(sys.argv[1])
