"""Content: recorded when asked for, bounded, and never in the way."""

import json
from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

import agentguard
from agentguard.content import to_json, to_text

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
)


@pytest.fixture
def content(record):
    """Recording, with content."""
    return record(capture_content=True)


@agentguard.tool
def search(query: str, limit: int = 3) -> list[dict[str, object]]:
    """A tool."""
    return [{"title": "Otters", "score": 0.5}]


def test_off_by_default(recorded):
    """Without the option no word of the content is on any span."""

    @agentguard.agent
    def hush(secret):
        with agentguard.chat_span("m", provider="p") as chat:
            chat.record_messages(input="secret", output="secret", system="secret")
        with agentguard.retrieval_span("d") as retrieval:
            retrieval.record_input("secret")
        return search("secret")

    with agentguard.run("r") as run:
        run.record_input("secret")
        hush("secret")
    assert len(recorded.spans) == 5
    assert "secret" not in "".join(span.to_json() for span in recorded.spans)


def test_tools(content):
    """A tool's arguments are recorded by name, and its result, as JSON."""
    search("otters", limit=1)
    attributes = content.attributes("execute_tool search")
    assert json.loads(attributes["gen_ai.tool.call.arguments"]) == {"query": "otters", "limit": 1}
    assert json.loads(attributes["gen_ai.tool.call.result"]) == [{"title": "Otters", "score": 0.5}]


async def test_agents(content):
    """An agent's input and output are messages in the conventions' shape, without its object."""

    class Crew:
        @agentguard.agent
        async def planner(self, question):
            return "answer"

    await Crew().planner("what?")
    attributes = content.attributes("invoke_agent planner")
    assert json.loads(attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "what?"}]}
    ]
    assert json.loads(attributes["gen_ai.output.messages"]) == [
        {"role": "assistant", "parts": [{"type": "text", "content": "answer"}]}
    ]


def test_chat(content):
    """Messages are taken as text, as role and content, or in the conventions' own shape."""
    parts = {"role": "assistant", "parts": [{"type": "text", "content": "hi"}]}
    with agentguard.chat_span("m", provider="p") as chat:
        chat.record_messages(
            input=[{"role": "user", "content": "hello"}, "and"], output=parts, system="be kind"
        )
    attributes = content.attributes("chat m")
    assert json.loads(attributes["gen_ai.input.messages"]) == [
        {"role": "user", "parts": [{"type": "text", "content": "hello"}]},
        {"role": "user", "parts": [{"type": "text", "content": "and"}]},
    ]
    assert json.loads(attributes["gen_ai.output.messages"]) == [parts]
    assert json.loads(attributes["gen_ai.system_instructions"]) == [
        {"type": "text", "content": "be kind"}
    ]


async def test_generators(content):
    """What a generator yielded is its output: text joined, other items as a list."""

    @agentguard.task
    def words():
        yield "ot"
        yield "ters"

    @agentguard.task
    async def numbers():
        yield 1
        yield 2

    list(words())
    [_ async for _ in numbers()]
    assert content.attributes("task words")["output.value"] == "otters"
    assert content.attributes("task numbers")["output.value"] == "[1,2]"


class Hostile:
    """An object that fails at every question."""

    def __getattribute__(self, name):
        """Fail."""
        raise RuntimeError("leave me alone")

    def __repr__(self):
        """Fail."""
        raise RuntimeError("leave me alone")


@dataclass
class Point:
    """A dataclass."""

    x: int
    y: object


def test_hostile_objects(content):
    """An object that cannot be recorded does not stop the work."""

    @agentguard.tool
    def work(thing):
        return thing

    hostile = Hostile()
    assert work(hostile) is hostile
    json.loads(content.attributes("execute_tool work")["gen_ai.tool.call.arguments"])


def test_shapes():
    """Dataclasses are objects, cycles and depth are cut, odd values become text."""
    loop: list = []
    loop.append(loop)
    assert json.loads(to_json(Point(1, {"b": b"123"}), 999)) == {"x": 1, "y": {"b": "<3 bytes>"}}
    assert "[cut]" in to_json(loop, 999)
    assert json.loads(to_json([float("nan"), 10**40, {1: 2}], 999)) == [
        "nan",
        str(10**40),
        {"1": 2},
    ]
    assert to_text("as it is", 999) == "as it is"
    assert to_text("\ud800", 999) == "?"


@given(anything, st.integers(1, 300))
def test_always_bounded_json(value, limit):
    """Any value becomes valid JSON that can be encoded, and is bounded by the limit."""
    encoded = to_json(value, limit)
    json.loads(encoded)
    encoded.encode()
    # Each character may be escaped to six, and each level adds its brackets and one mark.
    assert len(encoded) <= 6 * limit + 1000


def test_bounded_attributes(record):
    """No content attribute grows far past the limit set."""
    content = record(capture_content=True, max_content_length=100)
    search("x" * 10_000)
    arguments = content.attributes("execute_tool search")["gen_ai.tool.call.arguments"]
    assert len(arguments) < 200
    assert json.loads(arguments)["query"].endswith("[cut]")
