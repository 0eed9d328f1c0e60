"""The local provider, spoken to by the real `openai` client."""

import asyncio

import openai
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentguard.demo.provider import Answer, Conversation, Message, ProviderServer, ToolCall
from agentguard.demo.provider.conversation import measure

WEATHER = {
    "type": "function",
    "function": {"name": "weather", "parameters": {"type": "object", "properties": {}}},
}
HISTORY = [
    {"role": "system", "content": "You are thorough. " * 40},
    {"role": "user", "content": "What is a span?"},
    {"role": "assistant", "content": "A timed operation."},
    {"role": "user", "content": "And a trace?"},
]


def test_a_plain_completion_carries_text_and_disjoint_usage(client, provider):
    """The usage on the wire adds up to what the request log says, cached tokens included."""
    reply = client.chat.completions.create(model="gpt-5-mini", messages=HISTORY)
    logged = provider.usage()
    assert reply.choices[0].message.content.startswith("Answer ")
    assert reply.choices[0].finish_reason == "stop"
    assert reply.usage.prompt_tokens == logged.input + logged.cache_read
    assert reply.usage.prompt_tokens_details.cached_tokens == logged.cache_read > 0
    assert reply.usage.completion_tokens == logged.output + logged.reasoning
    assert reply.usage.completion_tokens_details.reasoning_tokens == logged.reasoning > 0
    assert reply.usage.total_tokens == reply.usage.prompt_tokens + reply.usage.completion_tokens


def test_a_streamed_completion_says_what_the_plain_one_says(client):
    """Streaming changes the form of the answer, not its text or its usage."""
    plain = client.chat.completions.create(model="gpt-4o-mini", messages=HISTORY)
    chunks = list(
        client.chat.completions.create(
            model="gpt-4o-mini",
            messages=HISTORY,
            stream=True,
            stream_options={"include_usage": True},
        )
    )
    text = "".join(c.choices[0].delta.content or "" for c in chunks if c.choices)
    assert text == plain.choices[0].message.content
    assert chunks[-1].choices == []
    assert chunks[-1].usage == plain.usage
    assert all(c.usage is None for c in chunks[:-1])


def test_usage_is_streamed_only_when_asked_for(client):
    """Without include_usage no chunk carries usage."""
    chunks = client.chat.completions.create(model="gpt-4o-mini", messages=HISTORY, stream=True)
    assert [c.usage for c in chunks if c.usage] == []


@pytest.mark.parametrize("stream", [False, True])
def test_tool_calls_survive_a_round_trip(client, stream):
    """A tool call asked for by the model can be answered, and the model then speaks."""
    question = [{"role": "user", "content": "Weather in Bern?"}]
    if stream:
        with client.chat.completions.stream(
            model="gpt-4o-mini", messages=question, tools=[WEATHER]
        ) as events:
            asked = events.get_final_completion().choices[0]
    else:
        asked = client.chat.completions.create(
            model="gpt-4o-mini", messages=question, tools=[WEATHER]
        ).choices[0]
    call = asked.message.tool_calls[0]
    assert (asked.finish_reason, call.function.name) == ("tool_calls", "weather")
    assert call.function.arguments == '{"query": "Weather in Bern?"}'
    message = asked.message.model_dump(include={"role", "content", "tool_calls"})
    result = {"role": "tool", "tool_call_id": call.id, "content": "Sunny"}
    answer = client.chat.completions.create(
        model="gpt-4o-mini", messages=[*question, message, result], tools=[WEATHER]
    )
    assert answer.choices[0].finish_reason == "stop"


def test_responses_plain_and_streamed_agree(client, provider):
    """The responses endpoint gives the same output and usage both ways."""
    request = {"model": "gpt-5-mini", "instructions": "Be brief.", "input": "What is OTLP?"}
    plain = client.responses.create(**request)
    events = list(client.responses.create(**request, stream=True))
    final = events[-1].response
    deltas = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    assert deltas == final.output_text == plain.output_text != ""
    assert final.usage == plain.usage
    assert plain.usage.output_tokens_details.reasoning_tokens > 0
    assert [e.sequence_number for e in events] == list(range(len(events)))
    assert len(provider.requests()) == 2


def test_responses_call_tools(client):
    """A function call of the responses endpoint is streamed piece by piece, and is whole."""
    tool = {"type": "function", "name": "weather", "parameters": {"type": "object"}}
    with client.responses.stream(
        model="gpt-4o-mini", input="Weather in Bern?", tools=[tool]
    ) as stream:
        call = stream.get_final_response().output[0]
    assert (call.type, call.name) == ("function_call", "weather")
    assert call.arguments == '{"query": "Weather in Bern?"}'


def test_embeddings_are_stable_in_both_encodings(client):
    """One text has one vector, whether sent as floats or as base64."""
    ask = client.embeddings.create
    floats = ask(
        model="text-embedding-3-small", input=["a b", "c"], dimensions=8, encoding_format="float"
    )
    base64 = ask(model="text-embedding-3-small", input=["a b", "c"], dimensions=8)
    assert [len(d.embedding) for d in base64.data] == [8, 8]
    for one, other in zip(floats.data, base64.data, strict=True):
        assert one.embedding == pytest.approx(other.embedding, abs=1e-6)
    assert floats.usage.prompt_tokens == 3


def test_a_wrong_key_is_refused_before_anything_is_answered(provider):
    """No key but the server's gets an answer, and nothing is billed for the attempt."""
    with (
        openai.OpenAI(api_key="sk-wrong", base_url=provider.base_url) as stranger,
        pytest.raises(openai.AuthenticationError, match="Incorrect API key"),
    ):
        stranger.chat.completions.create(model="gpt-4o-mini", messages=HISTORY)
    assert [(r.status, r.usage) for r in provider.requests()] == [(401, None)]


def test_every_nth_request_is_refused_and_the_client_retries():
    """A 429 names its delay, the client's own retry then succeeds, and both are in the log."""
    with ProviderServer(refuse_every=2) as provider:
        with openai.OpenAI(api_key=provider.api_key, base_url=provider.base_url) as client:
            for _ in range(2):
                client.chat.completions.create(model="gpt-4o-mini", messages=HISTORY)
        assert [r.status for r in provider.requests()] == [200, 429, 200]
        with (
            openai.OpenAI(
                api_key=provider.api_key, base_url=provider.base_url, max_retries=0
            ) as impatient,
            pytest.raises(openai.RateLimitError) as refusal,
        ):
            impatient.chat.completions.create(model="gpt-4o-mini", messages=HISTORY)
    assert refusal.value.response.headers["retry-after"] == "1"


@pytest.mark.parametrize(
    ("path", "body", "status", "says"),
    [
        ("/chat/completions", {"messages": [{"role": "user", "content": "x"}]}, 400, "'model'"),
        ("/chat/completions", {"model": "m", "messages": []}, 400, "too short"),
        ("/chat/completions", {"model": "m", "messages": ["x"]}, 400, "documented shape"),
        ("/embeddings", {"model": "m", "input": 7}, 400, "'input'"),
        ("/images", {}, 404, "Unknown request URL"),
    ],
)
def test_a_bad_request_gets_an_error_that_says_what_is_wrong(client, path, body, status, says):
    """Errors have OpenAI's shape, so that the client raises the type it would in production."""
    with pytest.raises(openai.APIStatusError, match=says) as refusal:
        client.post(path, body=body, cast_to=object)
    assert refusal.value.status_code == status


async def test_concurrent_calls_are_answered_as_they_would_be_alone(provider):
    """Neither order nor concurrency changes an answer or its usage."""

    async def ask(client: openai.AsyncOpenAI, n: int):
        reply = await client.chat.completions.create(
            model="gpt-5-mini", messages=[{"role": "user", "content": f"question {n}"}]
        )
        return reply.choices[0].message.content, reply.usage

    async with openai.AsyncOpenAI(api_key=provider.api_key, base_url=provider.base_url) as client:
        together = await asyncio.gather(*(ask(client, n) for n in range(20)))
        alone = [await ask(client, n) for n in range(20)]
    assert together == alone
    assert len(provider.requests()) == 40


messages = st.lists(
    st.builds(Message, st.sampled_from(["system", "user", "assistant", "tool"]), st.text()),
    min_size=1,
    max_size=8,
)


@given(messages, st.sampled_from(["gpt-4o-mini", "gpt-5-mini"]), st.text())
def test_usage_never_counts_a_token_twice(history, model, text):
    """Cached tokens are a part of the prompt, and every count is what its content makes it."""
    usage = measure(Conversation(model, tuple(history)), Answer(text))
    again = measure(Conversation(model, tuple(history)), Answer(text, (ToolCall("i", "n", "{}"),)))
    assert min(usage.input, usage.cache_read, usage.output, usage.reasoning) >= 0
    assert usage.prompt == again.prompt == sum(measure_one(m) for m in history)
    assert again.output > 0


def measure_one(message):
    """Prompt tokens of a history of one message."""
    return measure(Conversation("m", (message,)), Answer("x")).prompt
