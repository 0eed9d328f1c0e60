"""An agent that calls the tools of an MCP server, and is stopped when it goes in circles.

Prints one JSON line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path

from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from tests.integrations.spans import Spans

SERVER = StdioServerParameters(
    command=sys.executable, args=[str(Path(__file__).with_name("server.py"))]
)


async def main() -> None:
    """Call, fail, and go in circles."""
    provider, memory = TracerProvider(), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(memory))
    trace.set_tracer_provider(provider)
    agentguard.init(endpoint="http://127.0.0.1:9", capture_content=True)
    async with stdio_client(SERVER) as pipes, ClientSession(*pipes) as session:
        await session.initialize()
        memory.clear()
        with agentguard.run("librarian") as run:
            answer = await session.call_tool("search", {"query": "otters"})
            with suppress(Exception):
                await session.call_tool("fail", {"query": "badgers"})
        spans = Spans(memory.get_finished_spans())
        tried = 0
        circling = agentguard.run("circling", guards=[agentguard.LoopGuard()])
        with suppress(agentguard.RunStopped), circling:
            for _ in range(20):
                tried += 1
                with suppress(agentguard.ToolDenied):
                    await session.call_tool("search", {"query": "the same"})
    line = {
        "answer": answer.content[0].text,
        "tree": spans.tree(),
        "trace": f"{spans.traces().pop():032x}",
        "tools": [
            {"name": span.name, "id": f"{span.context.span_id:016x}", **(span.attributes or {})}
            for span in spans.all
            if span.name.startswith("execute_tool")
        ],
        "failed": [s.name for s in spans.all if not s.status.is_ok and s.status.description],
        "calls": dict(run.tally.tools),
        "stopped_by": circling.stopped.guard if circling.stopped else None,
        "tried": tried,
    }
    sys.stdout.write(json.dumps(line) + "\n")


if __name__ == "__main__":
    asyncio.run(main())
