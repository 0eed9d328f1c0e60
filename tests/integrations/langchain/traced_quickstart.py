"""Runs unmodified programs against a provider of their own, and says what was traced.

    python -m tests.integrations.langchain.traced_quickstart program.py ...

One JSON line each: tree, model calls, the provider's log, orphans, number of traces, content.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import runpy
import sys
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from agentguard.demo.provider import ProviderServer
from agentguard.demo.provider.conversation import Answer, Conversation, tool_call
from agentguard_integrations.langchain import LangChainInstrumentor
from tests.integrations.spans import Spans

ARGUMENTS = {"get_weather": {"city": "San Francisco"}, "add": {"a": 3, "b": 4}}


def respond(conversation: Conversation) -> Answer:
    """Ask for the first tool once, with sense, then sum up."""
    if conversation.tools and not conversation.count("tool"):
        name = conversation.tools[0]
        asked = tool_call(conversation, name, ARGUMENTS.get(name, {"query": "otters"}))
        return Answer(tool_calls=(asked,))
    return Answer(f"So it is: {conversation.last('tool')}")


def main() -> None:
    """Run each, one after the other."""
    provider, memory = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    handle = agentguard.init(tracer_provider=provider, endpoint="http://127.0.0.1:9")
    LangChainInstrumentor().instrument()
    for program in sys.argv[1:]:
        memory.clear()
        with ProviderServer(respond) as server:
            os.environ["OPENAI_BASE_URL"] = server.base_url
            os.environ["OPENAI_API_KEY"] = server.api_key
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                runpy.run_path(program, run_name="__main__")
            found = _found(Spans(memory.get_finished_spans()), server)
        sys.stdout.write(json.dumps({"said": said.getvalue(), **found}) + "\n")
    handle.shutdown()


def _found(spans: Spans, server: ProviderServer) -> dict[str, Any]:
    used = [(r.model, r.usage) for r in server.requests() if r.usage]
    attributes = [dict(span.attributes or {}) for span in spans.all]
    return {
        "tree": spans.tree(),
        "model_calls": spans.model_calls(),
        "log": sorted((m, u.input, u.cache_read, u.output, u.reasoning) for m, u in used),
        "orphans": spans.orphans(),
        "traces": len(spans.traces()),
        "content": sorted({key for each in attributes for key in each if _is_content(key)}),
    }


def _is_content(key: str) -> bool:
    return key.endswith((".messages", ".value", ".arguments", ".result", ".documents", ".text"))


if __name__ == "__main__":
    main()
