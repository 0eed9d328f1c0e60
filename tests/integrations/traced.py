"""Runs a script as it is, under `agentguard.init()`, against a provider of its own.

    python -m tests.integrations.traced tests/integrations/openai_agents/quickstart.py [responder]

`responder` is a module with a function `answer`; the default is `agentguard.demo.provider`'s echo.
Prints one JSON line: `Traced`.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from contextlib import redirect_stdout
from dataclasses import asdict, dataclass
from importlib import import_module

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from agentguard.demo.provider import ProviderServer
from agentguard.demo.provider.conversation import echo
from tests.integrations.spans import Spans


@dataclass
class Traced:
    """What a script's spans say, and what its provider saw."""

    tree: list[str]
    traces: int
    orphans: list[str]
    spans: list[tuple[str, int, int, int, int]]
    """Model, and input, cached, output and reasoning tokens of each model span that counts."""
    log: list[tuple[str, int, int, int, int]]
    """The same, of each request that was answered."""
    attributes: list[dict[str, object]]
    """Of each span, in the order in which they began, with its `name`."""


def main(script: str, responder: str | None = None) -> None:
    """Run the script, and print the line."""
    provider, memory = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    agentguard.init(tracer_provider=provider, endpoint="http://127.0.0.1:9", capture_content=True)
    answer = import_module(responder).answer if responder else echo
    with ProviderServer(answer) as server:
        os.environ["OPENAI_BASE_URL"] = os.environ["OPENAI_API_BASE"] = server.base_url
        os.environ["ANTHROPIC_BASE_URL"] = server.base_url.removesuffix("/v1")
        os.environ["OPENAI_API_KEY"] = os.environ["ANTHROPIC_API_KEY"] = server.api_key
        with redirect_stdout(sys.stderr):
            runpy.run_path(script, run_name="__main__")
        requests = server.requests()
    spans = Spans(memory.get_finished_spans())
    traced = Traced(
        tree=spans.tree(),
        traces=len(spans.traces()),
        orphans=spans.orphans(),
        spans=spans.model_calls(),
        log=sorted(
            (r.model, r.usage.input, r.usage.cache_read, r.usage.output, r.usage.reasoning)
            for r in requests
            if r.usage
        ),
        attributes=[{"name": span.name, **(span.attributes or {})} for span in spans.all],
    )
    sys.stdout.write(json.dumps(asdict(traced), default=str) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
