"""Guards understand the spans of three vocabularies, and count their tokens as the store does."""

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentguard.guards.call import Call
from agentguard.guards.reading import describe, finish, kind_at_start
from agentguard.guards.state import RunState
from agentguard.guards.usage import usage_of
from agentguard.prices import Usage
from agentguard.vocabulary import FIELDS, read
from tests.interop.usage_shapes import CASES


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_tokens_are_counted_as_the_store_counts_them(case):
    """For every usage shape of real instrumentors, the disjoint counts are the expected ones."""
    found = usage_of(read(case.attributes), case.provider, case.scope)
    if case.kind in ("llm", "embedding"):
        assert (found or Usage()) == tuple(vars(case.expected).values())


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(
        st.sampled_from([name for field in list(FIELDS)[:6] for name in FIELDS[field]]),
        st.one_of(st.integers(), st.floats(), st.text(), st.booleans(), st.none()),
    )
)
def test_no_report_of_usage_makes_a_negative_count(attributes):
    """Whatever a span says of its tokens, counts are whole numbers of 0 or more."""
    found = usage_of(read(attributes))
    assert found is None or all(isinstance(n, int) and n >= 0 for n in found)


@pytest.mark.parametrize(
    ("name", "attributes", "kind"),
    [
        ("chat gpt-5", {}, "llm"),
        ("openai.chat", {}, "llm"),
        ("execute_tool search", {}, "tool"),
        ("invoke_agent planner", {}, "agent"),
        ("x", {"gen_ai.operation.name": "embeddings"}, "embedding"),
        ("x", {"gen_ai.operation.name": "new", "gen_ai.request.model": "m"}, "llm"),
        ("ChatCompletion", {"openinference.span.kind": "LLM"}, "llm"),
        ("x", {"openinference.span.kind": "CHAIN"}, "workflow"),
        ("crew.workflow", {"traceloop.span.kind": "workflow"}, "workflow"),
        ("x", {"llm.request.type": "chat"}, "llm"),
        ("guard loop", {"gen_ai.operation.name": "guard"}, None),
        ("GET /chat", {"http.request.method": "GET"}, None),
        ("SELECT", {}, None),
    ],
)
def test_the_kind_is_known_at_the_start(name, attributes, kind):
    """The kind of an operation is read from its attributes, otherwise from its name."""
    assert kind_at_start(name, attributes) == kind


def test_a_model_call_is_described_by_its_request():
    """Model, provider, limit and content are found where OpenInference writes them."""
    said = describe(
        "llm",
        "ChatCompletion",
        {
            "openinference.span.kind": "LLM",
            "llm.system": "OpenAI",
            "llm.invocation_parameters": '{"model": "gpt-5", "max_tokens": 7}',
            "input.value": '{"messages": [{"role": "user", "content": "otters"}]}',
        },
    )
    assert (said.name, said.provider, said.model, said.max_tokens) == (
        "gpt-5",
        "openai",
        "gpt-5",
        7,
    )
    assert said.content() == {"messages": [{"role": "user", "content": "otters"}]}


@pytest.mark.parametrize(
    ("name", "attributes", "called"),
    [
        ("execute_tool search", {}, "search"),
        ("search", {"openinference.span.kind": "TOOL", "tool.name": "web"}, "web"),
        ("search.tool", {"traceloop.entity.name": "search"}, "search"),
        ("MyTool", {"gen_ai.agent.name": "planner"}, "MyTool"),
    ],
)
def test_a_tool_is_called_by_its_own_name(name, attributes, called):
    """A tool's name comes from its attributes or its span, and never from the agent around it."""
    assert describe("tool", name, attributes).name == called


def test_an_ended_span_tells_what_the_boundary_did_not_know():
    """Usage, the model that answered, its stated cost and its answer are taken from the span."""
    call = Call("llm", "gpt-5", RunState("r", "1"), model="gpt-5")
    call.usage = known = Usage(input=3)
    finish(
        call,
        {
            "gen_ai.response.model": "gpt-5-2026-01-01",
            "gen_ai.usage.input_tokens": 99,
            "agentguard.cost.usd": "0.25",
            "gen_ai.output.messages": "[]",
        },
    )
    assert (call.model, call.usage, call.cost) == ("gpt-5-2026-01-01", known, Decimal("0.25"))
    assert call.output == "[]"
