"""Messages of a span, whichever vocabulary it was traced in."""

from __future__ import annotations

import json

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from agentguard_storage.queries.contents import SpanEvent
from agentguard_storage.queries.messages import messages_of, span_messages
from tests.storage.queries.trace_shapes import trace
from tests.storage.telemetry.telemetry_store import make_span, request_of

CALL = {"id": "call_1", "name": "search", "arguments": {"query": "otters"}}
OTEL = {
    "gen_ai.system_instructions": json.dumps([{"type": "text", "content": "Be brief."}]),
    "gen_ai.input.messages": json.dumps(
        [
            {"role": "user", "parts": [{"type": "text", "content": "What do otters cost?"}]},
            {"role": "assistant", "parts": [{"type": "tool_call", **CALL}]},
            {
                "role": "tool",
                "parts": [{"type": "tool_call_response", "id": "call_1", "response": "[]"}],
            },
        ]
    ),
    "gen_ai.output.messages": json.dumps(
        [
            {
                "role": "assistant",
                "parts": [
                    {"type": "reasoning", "content": "Hm."},
                    {"type": "text", "content": "Nobody knows."},
                ],
                "finish_reason": "stop",
            }
        ]
    ),
}
_OUT = "llm.output_messages.0.message"
OPENINFERENCE = {
    "llm.input_messages.0.message.role": "system",
    "llm.input_messages.0.message.content": "Be brief.",
    "llm.input_messages.1.message.role": "user",
    "llm.input_messages.1.message.contents.0.message_content.type": "text",
    "llm.input_messages.1.message.contents.0.message_content.text": "What do otters cost?",
    "llm.input_messages.2.message.role": "assistant",
    "llm.input_messages.2.message.tool_calls.0.tool_call.id": "call_1",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.name": "search",
    "llm.input_messages.2.message.tool_calls.0.tool_call.function.arguments": (
        '{"query": "otters"}'
    ),
    "llm.input_messages.3.message.role": "tool",
    "llm.input_messages.3.message.tool_call_id": "call_1",
    "llm.input_messages.3.message.content": "[]",
    f"{_OUT}.role": "assistant",
    f"{_OUT}.contents.0.message_content.type": "reasoning",
    f"{_OUT}.contents.0.message_content.text": "Hm.",
    f"{_OUT}.contents.1.message_content.type": "text",
    f"{_OUT}.contents.1.message_content.text": "Nobody knows.",
    f"{_OUT}.finish_reason": "stop",
}
TRACELOOP = {
    "gen_ai.prompt.0.role": "system",
    "gen_ai.prompt.0.content": "Be brief.",
    "gen_ai.prompt.1.role": "user",
    "gen_ai.prompt.1.content": json.dumps([{"type": "text", "text": "What do otters cost?"}]),
    "gen_ai.prompt.2.role": "assistant",
    "gen_ai.prompt.2.tool_calls.0.id": "call_1",
    "gen_ai.prompt.2.tool_calls.0.name": "search",
    "gen_ai.prompt.2.tool_calls.0.arguments": '{"query": "otters"}',
    "gen_ai.prompt.3.role": "tool",
    "gen_ai.prompt.3.tool_call_id": "call_1",
    "gen_ai.prompt.3.content": "[]",
    "gen_ai.completion.0.role": "assistant",
    "gen_ai.completion.0.finish_reason": "stop",
    "gen_ai.completion.0.content": json.dumps(
        [{"type": "thinking", "thinking": "Hm."}, {"type": "text", "text": "Nobody knows."}]
    ),
}
OPENAI = {
    "gen_ai.input.messages": json.dumps(
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": [{"type": "text", "text": "What do otters cost?"}]},
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [
                    {
                        "id": "call_1",
                        "type": "function",
                        "function": {"name": "search", "arguments": '{"query": "otters"}'},
                    }
                ],
            },
            {"role": "tool", "tool_call_id": "call_1", "content": "[]"},
        ]
    ),
    "gen_ai.output.messages": OTEL["gen_ai.output.messages"],
}
SAID = [
    ("system", [("text", "Be brief.", "", "")]),
    ("user", [("text", "What do otters cost?", "", "")]),
    ("assistant", [("tool_call", '{"query": "otters"}', "search", "call_1")]),
    ("tool", [("tool_call_response", "[]", "", "call_1")]),
]
ANSWERED = [("assistant", [("reasoning", "Hm.", "", ""), ("text", "Nobody knows.", "", "")])]


def span_with(attributes, **said):
    """A model span with these attributes."""
    [span] = trace([{"kind": "llm", "attributes": attributes} | said]).spans
    return span


def told(messages):
    """Messages as plain tuples."""
    return [
        (each.role, [(part.type, part.text, part.tool, part.call_id) for part in each.parts])
        for each in messages
    ]


@pytest.mark.parametrize("attributes", [OTEL, OPENINFERENCE, TRACELOOP, OPENAI])
def test_one_conversation_reads_the_same_in_every_vocabulary(attributes):
    """Roles, texts, reasoning, tool calls with their arguments, and their results."""
    said = messages_of(span_with(attributes))
    assert told(said.input) == SAID
    assert told(said.output) == ANSWERED
    assert said.output[0].finish_reason == "stop"


def test_structured_messages_are_read_as_well():
    """Messages that came as lists and maps, and not as JSON, are the same messages."""
    attributes = {name: json.loads(value) for name, value in OTEL.items()}
    assert told(messages_of(span_with(attributes)).input) == SAID


def test_messages_of_an_event_are_read():
    """Where the span shall not carry them, the event of the operation's details does."""
    event = SpanEvent("gen_ai.client.inference.operation.details", 0, dict(OTEL), 0)
    assert told(messages_of(span_with({}, events=[event])).output) == ANSWERED


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ("gen_ai.tool.call.arguments", "gen_ai.tool.call.result"),
        ("input.value", "output.value"),
        ("traceloop.entity.input", "traceloop.entity.output"),
    ],
)
def test_a_tool_has_its_arguments_and_result(arguments, result):
    """A call goes in and a response comes out, under the tool's name."""
    attributes = {arguments: '{"query": "otters"}', result: "[]", "gen_ai.tool.call.id": "call_1"}
    said = messages_of(span_with(attributes, kind="tool", tool="search"))
    assert told(said.input) == [SAID[2]]
    assert told(said.output) == [("tool", [("tool_call_response", "[]", "search", "call_1")])]


def test_what_was_retrieved_is_the_output():
    """Documents are parts of one message."""
    attributes = {
        "input.value": "otters",
        "retrieval.documents.0.document.content": "one",
        "retrieval.documents.10.document.content": "ten",
        "retrieval.documents.2.document.content": "two",
    }
    said = messages_of(span_with(attributes, kind="retrieval"))
    assert told(said.input) == [("", [("text", "otters", "", "")])]
    assert [part.text for part in said.output[0].parts] == ["one", "two", "ten"]


def test_long_texts_are_cut_and_say_how_long_they_were():
    """A limit keeps the beginning of each text, and its length."""
    said = messages_of(span_with({"output.value": "x" * 1_000}), limit=10)
    [part] = said.output[0].parts
    assert (part.text, part.length, part.is_cut) == ("x" * 10, 1_000, True)
    [part] = messages_of(span_with({"output.value": "x" * 10}), limit=10).output[0].parts
    assert not part.is_cut


def test_the_newest_messages_are_kept_with_the_instructions():
    """Of a long history, what was said last, and how much is left out."""
    said = messages_of(span_with(OPENINFERENCE), newest=1)
    assert told(said.input) == [SAID[0], SAID[3]]
    assert said.left_out == 2
    assert messages_of(span_with(OPENINFERENCE), newest=99).left_out == 0


names = st.sampled_from(
    [
        *OTEL,
        *OPENINFERENCE,
        *TRACELOOP,
        "llm.input_messages.0",
        "llm.input_messages.99999999999999999999.message.role",
        "llm.input_messages..message",
        "gen_ai.prompt.0.tool_calls",
        "gen_ai.completion.²",
        "retrieval.documents.0.document",
        "gen_ai.retrieval.documents",
        "input.value",
        "gen_ai.tool.call.arguments",
    ]
)
plain = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary()
values = st.recursive(
    plain,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["role", "parts", "type", "content", "tool_calls", "function", "id"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(
    st.dictionaries(names, values | values.map(lambda v: json.dumps(v, default=repr))),
    st.sampled_from(["llm", "tool", "retrieval"]),
)
@example({"gen_ai.input.messages": [{"type": []}, {"parts": [{"type": {}}]}]}, "llm")
# Nested values are slow to make where other tests have the processor.
@settings(suppress_health_check=[HealthCheck.too_slow])
def test_nothing_that_was_sent_breaks_it(attributes, kind):
    """Whatever stands where messages are expected, there are messages of text, or none."""
    said = messages_of(span_with(attributes, kind=kind), limit=5, newest=2)
    for message in (*said.input, *said.output):
        assert isinstance(message.role, str)
        for part in message.parts:
            assert isinstance(part.text, str)
            assert len(part.text) <= 5


def test_deep_json_is_text():
    """JSON that is nested deeper than it can be parsed is shown as it is."""
    deep = "[" * 100_000
    said = messages_of(span_with({"gen_ai.input.messages": deep}))
    assert [part.text for part in said.input[0].parts] == [deep]


def test_messages_are_joined_from_the_store(store, project):
    """A conversation whose messages are kept apart, once each, is whole again for each span."""
    long = {name: value.replace("otters", "otters " * 30) for name, value in OTEL.items()}
    spans = [
        make_span({"gen_ai.operation.name": "chat"} | said, trace_id=b"m" * 16)
        for said in (long, OTEL)
    ]
    store.insert([request_of(*spans)], project=project)
    reader, trace_id = store.reader(project), (b"m" * 16).hex()
    said = span_messages(reader, trace_id, spans[1].span_id.hex())
    assert told(said.input) == SAID
    said = span_messages(reader, trace_id, spans[0].span_id.hex())
    assert said.input[1].parts[0].text == f"What do {'otters ' * 30} cost?"
    assert span_messages(reader, trace_id, "f" * 16) is None
