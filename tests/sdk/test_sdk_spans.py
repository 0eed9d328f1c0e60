"""Span helpers: names, attributes and errors by the GenAI conventions."""

import pytest
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

import agentguard


def test_agent(recorded):
    """An agent's span is named and described by the conventions."""
    with agentguard.agent_span("planner", id="a-1", description="plans"):
        pass
    assert recorded.span("invoke_agent planner").kind is SpanKind.INTERNAL
    assert recorded.attributes("invoke_agent planner") == {
        "gen_ai.operation.name": "invoke_agent",
        "gen_ai.agent.name": "planner",
        "gen_ai.agent.id": "a-1",
        "gen_ai.agent.description": "plans",
    }


def test_tool(recorded):
    """A tool's span is named and described by the conventions."""
    with agentguard.tool_span("search", call_id="call_9", type="datastore", attributes={"k": 1}):
        pass
    assert recorded.attributes("execute_tool search") == {
        "gen_ai.operation.name": "execute_tool",
        "gen_ai.tool.name": "search",
        "gen_ai.tool.type": "datastore",
        "gen_ai.tool.call.id": "call_9",
        "k": 1,
    }


def test_chat(recorded):
    """A chat span is a client's, with request, response and every token count."""
    with agentguard.chat_span("m-1", provider="openai", temperature=0.5, max_tokens=9) as chat:
        chat.record_first_chunk()
        chat.record_response(model="m-1-x", id="r", finish_reasons=["stop"])
        chat.record_usage(
            input_tokens=900, output_tokens=40, cache_read=512, cache_write=8, reasoning=16
        )
    assert recorded.span("chat m-1").kind is SpanKind.CLIENT
    attributes = recorded.attributes("chat m-1")
    assert 0 < attributes.pop("gen_ai.response.time_to_first_chunk") < 60
    assert attributes == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "m-1",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 9,
        "gen_ai.response.model": "m-1-x",
        "gen_ai.response.id": "r",
        "gen_ai.response.finish_reasons": ("stop",),
        "gen_ai.usage.input_tokens": 900,
        "gen_ai.usage.output_tokens": 40,
        "gen_ai.usage.cache_read.input_tokens": 512,
        "gen_ai.usage.cache_write.input_tokens": 8,
        "gen_ai.usage.reasoning.output_tokens": 16,
    }


def test_embeddings_and_retrieval(recorded):
    """Embeddings and retrieval are client spans with their own operations."""
    with agentguard.embeddings_span("e-1", provider="openai") as embeddings:
        embeddings.record_usage(input_tokens=3)
    with agentguard.retrieval_span("wiki"):
        pass
    assert recorded.attributes("embeddings e-1")["gen_ai.usage.input_tokens"] == 3
    assert recorded.attributes("retrieval wiki") == {
        "gen_ai.operation.name": "retrieval",
        "gen_ai.data_source.id": "wiki",
    }
    assert {span.kind for span in recorded.spans} == {SpanKind.CLIENT}


def test_task(recorded):
    """A task is a span of its own name, for which the conventions have no operation."""
    with agentguard.task_span("summarise"):
        pass
    assert recorded.attributes("task summarise") == {"agentguard.task.name": "summarise"}


def test_nesting(recorded):
    """A span is current inside its block alone, and the parent of what is made there."""
    before = get_current_span()
    with agentguard.agent_span("a") as outer:
        assert get_current_span() is outer.span
        with agentguard.tool_span("t"):
            pass
        assert get_current_span() is outer.span
    assert get_current_span() is before
    assert recorded.parent("execute_tool t") == "invoke_agent a"


class CustomError(Exception):
    """An error with a module."""


def test_errors(recorded):
    """An exception goes on unchanged, and is on the span as type, status and event."""
    error = CustomError("no luck")
    with pytest.raises(CustomError) as caught, agentguard.tool_span("t"):
        raise error
    assert caught.value is error
    span = recorded.span("execute_tool t")
    assert span.attributes["error.type"] == f"{__name__}.CustomError"
    assert (span.status.status_code, span.status.description) == (
        StatusCode.ERROR,
        "CustomError: no luck",
    )
    (event,) = span.events
    assert event.attributes["exception.message"] == "no luck"


class UnprintableError(Exception):
    """An error that cannot be printed."""

    def __str__(self) -> str:
        """Fail."""
        raise RuntimeError("not this one")


def test_unprintable_errors(recorded):
    """An exception that cannot even be printed goes on unchanged too, and the span ends."""
    error = UnprintableError()
    with pytest.raises(UnprintableError) as caught, agentguard.tool_span("t"):
        raise error
    assert caught.value is error
    assert recorded.attributes("execute_tool t")["error.type"].endswith("UnprintableError")


@pytest.mark.parametrize(
    ("error", "failed"),
    [(KeyboardInterrupt(), True), (SystemExit(3), True), (SystemExit(0), False)],
)
def test_leaving(recorded, error, failed):
    """Work that is interrupted did not succeed; leaving with success is no error."""
    with pytest.raises(type(error)), agentguard.tool_span("t"):
        raise error
    assert ("error.type" in recorded.attributes("execute_tool t")) is failed


def test_a_refusal_at_the_start_goes_on(recorded):
    """A span processor that refuses a span stops the work before it begins."""
    from opentelemetry.sdk.trace import SpanProcessor

    class Refuse(SpanProcessor):
        def on_start(self, span, parent_context=None):
            if span.name == "execute_tool pay":
                raise PermissionError("over budget")

    recorded.provider.add_span_processor(Refuse())
    calls = []

    @agentguard.tool
    def pay() -> None:
        calls.append(1)

    with pytest.raises(PermissionError), agentguard.run("r"):
        pay()
    assert calls == []
    assert not get_current_span().is_recording()
