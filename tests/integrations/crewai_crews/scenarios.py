"""Small crews against a local provider, all in one process: what was traced, and what came of it.

One line of JSON for each, `{"scenario", "tree", ...}`. CrewAI takes long to be imported. What it
keeps is kept in `CREWAI_STORAGE_DIR`, which it reads when it is imported.

    python -m tests.integrations.crewai_crews.scenarios [scenario ...]
"""

from __future__ import annotations

import json
import logging
import os
import re
import runpy
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from agentguard.demo.provider import ProviderServer
from agentguard.demo.provider.conversation import Answer, Conversation, echo, tool_call
from tests.integrations.crewai_crews.crews import (
    Parrot,
    crew_of,
    instrumentor,
    llm_at,
    search,
    wrapped_now,
)
from tests.integrations.driving import runaway
from tests.integrations.spans import Spans

HERE = Path(__file__).parent
ROOT = HERE.parents[2]
MEMORY = InMemorySpanExporter()


def reversible() -> dict[str, Any]:
    """Turned on twice and off again, and on for the rest."""
    before = wrapped_now()
    instrumentor.instrument()
    instrumentor.instrument()
    on = wrapped_now()
    with ProviderServer() as server:
        crew_of(llm_at(server)).kickoff()
    twice = _traced()
    instrumentor.uninstrument()
    instrumentor.uninstrument()
    after = wrapped_now()
    with ProviderServer() as server:
        crew_of(llm_at(server)).kickoff()
    off = _traced()
    instrumentor.instrument()
    return {
        "wrapped": sum(on[name] is not before[name] for name in before),
        "left": [name for name in before if after[name] is not before[name]],
        "twice": twice["tree"],
        "off": off["tree"],
    }


def quickstart() -> dict[str, Any]:
    """CrewAI's own quick start."""

    def answer(conversation: Conversation) -> Answer:
        if conversation.tools and not conversation.count("tool"):
            asked = {"search_query": "AI Agents"}
            return Answer(tool_calls=(tool_call(conversation, conversation.tools[0], asked),))
        return Answer("# AI Agents\n\nThey are watched now.")

    with ProviderServer(answer) as server:
        _point_to(server)
        ran = runpy.run_path(str(HERE / "quickstart.py"), run_name="__main__")
    return {**_traced(server), "report": ran["flow"].state.report}


def snippets() -> dict[str, Any]:
    """What the page of the documentation shows."""
    page = (ROOT / "docs" / "integrations" / "crewai.md").read_text(encoding="utf-8")
    found = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    with ProviderServer(runaway("loop")) as server:
        _point_to(server)
        for code in found:
            exec(compile(code, "crewai.md", "exec"), {"__name__": "snippet"})  # noqa: S102
    instrumentor.instrument()
    return {**_traced(server), "snippets": len(found)}


def parts() -> dict[str, Any]:
    """A crew with content captured: what each span says."""
    with ProviderServer() as server:
        crew_of(llm_at(server), task={"name": None}).kickoff({"animal": "otters"})
    said = {span.name: dict(span.attributes or {}) for span in MEMORY.get_finished_spans()}
    return {**_traced(server), "said": said}


def own_model() -> dict[str, Any]:
    """A class of models of the user's, whose client nobody knows."""
    with agentguard.run("parrot", guards=[agentguard.LoopGuard()]) as run:
        raised = _raised(lambda: crew_of(Parrot(model="parrot-1", endless=True)).kickoff())
    looped = {**_traced(), "raised": raised, "calls": run.tally.calls}
    crew_of(Parrot(model="parrot-1")).kickoff()
    spans = Spans(MEMORY.get_finished_spans())
    return {"looped": looped, "spans": spans.model_calls(), **_traced()}


def untraced_client() -> dict[str, Any]:
    """A client that nobody traces: its calls have their spans here, once."""
    from agentguard_integrations.openai import OpenAIInstrumentor

    OpenAIInstrumentor().uninstrument()
    with ProviderServer() as server:
        crew_of(llm_at(server)).kickoff()
    OpenAIInstrumentor().instrument()
    return _traced(server)


def tries_again() -> dict[str, Any]:
    """An agent whose model fails once: CrewAI has it begin anew."""
    crew_of(Parrot(model="parrot-1", fails=1)).kickoff()
    return _traced()


def denied() -> dict[str, Any]:
    """A tool that may not be called: the agent is told, and does without."""
    policy = agentguard.ToolPolicy(deny=["search"])
    with ProviderServer() as server, agentguard.run("denied", guards=[policy]) as run:
        result = crew_of(llm_at(server)).kickoff()
    return {
        **_traced(server),
        "stopped": run.stopped is not None,
        "answer": result.raw,
        "told": any("denied" in str(r.body).lower() for r in server.requests()),
    }


def in_text() -> dict[str, Any]:
    """A tool that fails, called in text: CrewAI invokes it again and again, the model once."""
    calls: list[str] = []

    def answer(conversation: Conversation) -> Answer:
        if conversation.count("assistant"):
            return Answer("Thought: I know\nFinal Answer: nothing is new")
        return Answer('Thought: go on\nAction: search\nAction Input: {"query": "otters"}')

    guards = [agentguard.LoopGuard()]
    with ProviderServer(answer) as server, agentguard.run("text", guards=guards) as run:
        failing = search(calls, fails=True)
        crew_of(llm_at(server, "o1-mini"), tools=[failing]).kickoff()
    return {**_traced(server), "invoked": len(calls), "stopped": run.stopped is not None}


def rate_limited() -> dict[str, Any]:
    """A refusal that speaks of limits, which CrewAI would wait and try again for."""
    guards = [agentguard.RateLimitGuard(max_calls_per_minute=1)]
    with ProviderServer() as server, agentguard.run("limited", guards=guards):
        crew = crew_of(llm_at(server))
        began = time.monotonic()
        raised = _raised(crew.kickoff)
    return {**_traced(server), "raised": raised, "seconds": time.monotonic() - began}


def remembers() -> dict[str, Any]:
    """A crew with a memory, whose embeddings and analysis are model calls of the same trace."""
    with ProviderServer(_analyst) as server:
        _point_to(server)
        crew_of(llm_at(server), memory=True).kickoff()
    return _traced(server)


def knows() -> dict[str, Any]:
    """A crew with knowledge, which is searched before its agent begins."""
    from crewai.knowledge.source.string_knowledge_source import StringKnowledgeSource

    source = StringKnowledgeSource(content="Otters hold hands.")
    with ProviderServer(_analyst) as server:
        _point_to(server)
        crew_of(llm_at(server), knowledge_sources=[source]).kickoff()
    found = [
        json.loads(str((span.attributes or {}).get("gen_ai.retrieval.documents", "[]")))
        for span in MEMORY.get_finished_spans()
        if span.name.startswith("retrieval")
    ]
    return {**_traced(server), "found": found}


def forgets() -> dict[str, Any]:
    """What memory is refused after the agent has its answer does not take that away."""
    guards = [agentguard.BudgetGuard(max_calls=2)]
    with ProviderServer() as server, agentguard.run("forgets", guards=guards) as run:
        crew = crew_of(llm_at(server))
        crew.memory = _memory(server)
        for agent in crew.agents:
            agent.memory = None
        result = crew.kickoff()
        with suppress(Exception):
            crew.memory.remember("Otters hold hands.")
    return {**_traced(server), "answer": result.raw, "stopped": run.stopped is not None}


def _point_to(server: ProviderServer) -> None:
    os.environ["OPENAI_BASE_URL"] = server.base_url
    os.environ["OPENAI_API_KEY"] = server.api_key


def _memory(server: ProviderServer) -> Any:
    from crewai.memory.unified_memory import Memory

    return Memory(llm=llm_at(server), embedder=lambda texts: [[0.5] * 8 for _ in texts])


def _analyst(conversation: Conversation) -> Answer:
    """Answers what memory asks for, which offers no tools, and everything else as `echo` does."""
    if conversation.tools:
        return echo(conversation)
    said = {"memories": ["Otters hold hands."], "suggested_scope": "/otters", "importance": 0.5}
    return Answer(json.dumps(said))


def _raised(work: Callable[[], object]) -> str | None:
    try:
        work()
    except Exception as error:  # noqa: BLE001 - what reaches the caller is looked at
        return f"{type(error).__module__}.{type(error).__name__}"
    return None


def _traced(server: ProviderServer | None = None) -> dict[str, Any]:
    spans = Spans(MEMORY.get_finished_spans())
    MEMORY.clear()
    said: dict[str, Any] = {
        "tree": spans.tree(),
        "orphans": spans.orphans(),
        "traces": len(spans.traces()),
    }
    if server is not None:
        said["spans"] = spans.model_calls()
        said["log"] = sorted(
            (r.model, r.usage.input, r.usage.cache_read, r.usage.output, r.usage.reasoning)
            for r in server.requests()
            if r.usage
        )
    return said


SCENARIOS: tuple[Callable[[], dict[str, Any]], ...] = (
    reversible,
    quickstart,
    snippets,
    parts,
    own_model,
    untraced_client,
    tries_again,
    denied,
    in_text,
    rate_limited,
    remembers,
    knows,
    forgets,
)


def main() -> None:
    """Run what the command line asks for, by default everything."""
    logging.disable(logging.CRITICAL)
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(MEMORY))
    handle = agentguard.init(
        tracer_provider=provider,
        endpoint="http://127.0.0.1:9",
        capture_content=True,
        instrument=["openai"],
    )
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        for scenario in SCENARIOS:
            if sys.argv[1:] and scenario.__name__ not in sys.argv[1:]:
                continue
            if scenario is not reversible:
                instrumentor.instrument()
            MEMORY.clear()
            said = {"scenario": scenario.__name__, **scenario()}
            sys.stdout.write("\n" + json.dumps(said) + "\n")
            sys.stdout.flush()
        os.chdir("/")
    handle.shutdown()


if __name__ == "__main__":
    main()
