"""Runs scripts with every span kept, and says as JSON, a line each, what their traces are.

python -m tests.integrations.autogen.traced_quickstart tests/integrations/autogen/quickstart.py
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from agentguard.demo.provider import ProviderServer
from agentguard.demo.provider.conversation import Answer, Conversation, tool_call
from agentguard_integrations.autogen import AutoGenInstrumentor
from tests.integrations.spans import Spans

_NEXT = {"travel": "transfer_to_refunds", "refunds": "transfer_to_user"}


def answer(conversation: Conversation) -> Answer:
    """Call the first tool once, then hand over where that is possible, or say what came of it."""
    tools = conversation.tools
    asked = conversation.messages[0].text
    if "read the following conversation" in asked.lower():
        return Answer("editor")
    if not tools:
        return Answer("It is warm and sunny.")
    results = conversation.count("tool")
    if results and len(tools) == 1:
        return Answer("Done.")
    name = tools[min(results, len(tools) - 1)]
    given = {"get_weather": {"city": "New York"}, "poet": {"task": "A line, please."}}
    arguments = given.get(name, {} if name.startswith("transfer") else {"booking": "7"})
    return Answer(tool_calls=(tool_call(conversation, name, arguments),))


def main(scripts: Sequence[str]) -> None:
    """Run them in this process, one after the other, as `python script` would."""
    provider, memory = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    # AutoGen makes its own spans with the process's provider.
    trace.set_tracer_provider(provider)
    handle = agentguard.init(
        tracer_provider=provider, endpoint="http://127.0.0.1:9", capture_content=True
    )
    AutoGenInstrumentor().instrument(tracer_provider=provider)
    for script in scripts:
        memory.clear()
        sys.stdout.write(json.dumps(_run(script, memory), default=str) + "\n")
    handle.shutdown()


def _run(script: str, memory: InMemorySpanExporter) -> dict[str, object]:
    with ProviderServer(answer) as server, redirect_stdout(sys.stderr):
        os.environ |= {"OPENAI_BASE_URL": server.base_url, "OPENAI_API_KEY": server.api_key}
        runpy.run_path(script, run_name="__main__")
        requests = server.requests()
    spans = Spans(memory.get_finished_spans())
    return {
        "tree": spans.tree(),
        "traces": len(spans.traces()),
        "orphans": spans.orphans(),
        "model_calls": spans.model_calls(),
        "log": sorted(
            (r.model, r.usage.input, r.usage.cache_read, r.usage.output, r.usage.reasoning)
            for r in requests
            if r.usage
        ),
        "spans": [
            {"name": span.name, "status": span.status.status_code.name, **(span.attributes or {})}
            for span in spans.all
        ],
    }


if __name__ == "__main__":
    main(sys.argv[1:])
