"""Scripts that know nothing of AgentGuard, traced by what they are started with."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue

from agentguard.demo.provider import ProviderServer
from agentguard.demo.provider.conversation import Answer, Conversation, tool_call
from agentguard.guards.reading import kind_at_start
from agentguard.guards.usage import usage_of
from agentguard.inheritance import TRACER
from agentguard.semconv import WRAPS_MODEL_CALL
from agentguard.vocabulary import read
from tests.integrations.conftest import environment
from tests.interop.recorder import Recorder, recording

HERE = Path(__file__).parent
SCRIPTS = {
    "openai": (None, "openai_client/quickstart.py"),
    "anthropic": ("clients", "anthropic_client/quickstart.py"),
    "google-genai": ("clients", "google_genai_client/quickstart.py"),
    "litellm": ("litellm", "litellm_functions/quickstart.py"),
    "langchain": ("langchain", "langchain/quickstart.py"),
    "langgraph": ("langchain", "langchain/quickstart_langgraph.py"),
    "crewai": ("crewai", "crewai_crews/quickstart.py"),
    "autogen": ("autogen", "autogen/quickstart.py"),
    "llamaindex": ("llamaindex", "llamaindex/quickstart.py"),
    "openai-agents": ("openai-agents", "openai_agents/quickstart.py"),
}
STARTERS = {
    "opentelemetry-instrument": ["opentelemetry-instrument"],
    "exec": ["agentguard", "exec", "--budget-calls", "50", "--"],
}
# Scripts that make calls which are nobody's part have a trace for each.
TRACES = {"litellm": 2}
ARGUMENTS = {
    "get_weather": {"city": "Lisbon"},
    "multiply": {"a": 6, "b": 7},
    "add": {"a": 6, "b": 7},
    "search_the_internet_with_serper": {"search_query": "agents"},
}


def answer(conversation: Conversation) -> Answer:
    """The first tool there is, once; then a text."""
    if conversation.tools and not conversation.count("tool"):
        name = conversation.tools[0]
        given = ARGUMENTS.get(name.lower(), {"query": "otters"})
        return Answer(tool_calls=(tool_call(conversation, name, given),))
    return Answer("Thought: I know enough.\nFinal Answer: it is sunny.")


@pytest.fixture
def provider() -> Iterator[ProviderServer]:
    """A provider that speaks every protocol."""
    with ProviderServer(answer) as server:
        yield server


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    """A receiver that keeps what it is sent."""
    with recording() as receiver:
        yield receiver


def pairs() -> Iterator[object]:
    """Every script with every starter; in a short run with one of them each, in turns."""
    for number, script in enumerate(SCRIPTS):
        for place, starter in enumerate(STARTERS):
            is_short = number % len(STARTERS) == place
            yield pytest.param(script, starter, marks=() if is_short else pytest.mark.soak)


@pytest.mark.parametrize(("script", "starter"), list(pairs()))
def test_an_unmodified_script_is_traced(script, starter, provider, recorder, python_with, tmp_path):
    """Its model calls arrive, each with the tokens that the provider billed, and no orphans."""
    group, path = SCRIPTS[script]
    python = python_with(group)
    program, *options = STARTERS[starter]
    done = subprocess.run(
        [str(python.with_name(program)), *options, str(python), str(HERE / path)],
        cwd=tmp_path,
        env=environment(provider.base_url, provider.api_key)
        | {"AGENTGUARD_ENDPOINT": recorder.otlp_http, "AGENTGUARD_API_KEY": recorder.api_key},
        capture_output=True,
        text=True,
        timeout=110,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    spans = [
        (span, scope.scope.name)
        for resource in recorder.read_all()
        for scope in resource.scope_spans
        for span in scope.spans
    ]
    ids = {span.span_id for span, _ in spans}
    assert [s.name for s, _ in spans if s.parent_span_id and s.parent_span_id not in ids] == []
    # Instrumentors of others that are installed there make spans as well, some in other traces.
    ours = {span.trace_id for span, scope in spans if scope == TRACER}
    assert len(ours or {span.trace_id for span, _ in spans}) == TRACES.get(script, 1)
    billed = [r.usage for r in provider.requests() if r.usage]
    assert billed
    counted = [found for span, scope in spans if (found := counts(span, scope)) is not None]
    assert sorted(counted) == sorted((u.prompt, u.completion) for u in billed)


def counts(span, scope: str) -> tuple[int, int] | None:
    """Tokens sent and answered of a model span that counts."""
    attributes = {pair.key: value_of(pair) for pair in span.attributes}
    if attributes.get(WRAPS_MODEL_CALL) or kind_at_start(span.name, attributes) != "llm":
        return None
    said = read(attributes)
    usage = usage_of(said, str(said.get("provider") or ""), scope)
    if usage is None:
        return None
    return usage.input + usage.cache_read + usage.cache_write, usage.output + usage.reasoning


def value_of(pair: KeyValue) -> object:
    """The value, where it is no list."""
    return getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
