"""The `anthropic` client under guards: the same as `openai`, in every way in which it is called."""

import asyncio
import gc
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing, suppress
from typing import Any

import pytest

import agentguard
from agentguard import BudgetGuard, Guard, RunStopped, TimeoutExceeded, TimeoutGuard
from agentguard.demo.provider import Answer, ToolCall
from tests.boundary.conftest import until

TURNS = 100
MODEL = "claude-test"
TOOLS = [{"name": "search", "input_schema": {"type": "object", "properties": {}}}]


def _request(turn: object) -> dict[str, Any]:
    """A request with a past, so that a part of it is read from the cache."""
    return {
        "model": MODEL,
        "max_tokens": 100,
        "system": "Be brief. " * 40,
        "messages": [
            {"role": "user", "content": f"question {turn}"},
            {"role": "assistant", "content": "an answer"},
            {"role": "user", "content": "and then?"},
        ],
    }


def _create(client: Any, turn: object) -> Any:
    return client.messages.create(**_request(turn))


def _stream(client: Any, turn: object) -> Any:
    return client.messages.create(**_request(turn), stream=True)


def _raw(client: Any, turn: object) -> Any:
    return client.messages.with_raw_response.create(**_request(turn))


def _read(client: Any, turn: object) -> None:
    for _ in _stream(client, turn):
        pass


def _read_raw(client: Any, turn: object) -> None:
    for _ in client.messages.with_raw_response.create(**_request(turn), stream=True).parse():
        pass


def _helper(client: Any, turn: object) -> None:
    with client.messages.stream(**_request(turn)) as stream:
        assert stream.get_final_message().usage.output_tokens > 0


async def _read_async(client: Any, turn: object) -> None:
    async for _ in await _stream(client, turn):
        pass


async def _read_raw_async(client: Any, turn: object) -> None:
    raw = await client.messages.with_raw_response.create(**_request(turn), stream=True)
    parsed = raw.parse()
    async for _ in await parsed if asyncio.iscoroutine(parsed) else parsed:
        pass


async def _helper_async(client: Any, turn: object) -> None:
    async with client.messages.stream(**_request(turn)) as stream:
        async for _ in stream.text_stream:
            pass


SYNC: dict[str, Callable[[Any, object], Any]] = {
    "create": _create,
    "raw": _raw,
    "stream": _read,
    "raw_stream": _read_raw,
    "stream_helper": _helper,
}
ASYNC: dict[str, Callable[[Any, object], Awaitable[None]]] = {
    "create": _create,
    "raw": _raw,
    "stream": _read_async,
    "raw_stream": _read_raw_async,
    "stream_helper": _helper_async,
}


def _connected(server: Any, kind: str = "Anthropic") -> Any:
    """A client without retries of its own."""
    # Takes longer to load than all other clients, and each worker would.
    import anthropic

    address = server.base_url.removesuffix("/v1")
    return getattr(anthropic, kind)(base_url=address, api_key=server.api_key, max_retries=0)


@pytest.fixture
def client(provider) -> Iterator[Any]:
    """A client of the provider."""
    with closing(_connected(provider)) as made:
        yield made


@pytest.mark.parametrize("shape", SYNC)
def test_nothing_is_sent_after_the_stop(client, provider, shape):
    """An agent that catches everything makes 5 of 100 calls, and the server sees 5."""
    with agentguard.run("r", guards=[BudgetGuard(max_calls=5)]) as run:
        for turn in range(TURNS):
            with suppress(Exception):
                SYNC[shape](client, turn)
    assert len(provider.requests()) == 5
    assert (run.tally.calls, run.tally.refused.total()) == (5, TURNS - 5)


@pytest.mark.parametrize("shape", ASYNC)
async def test_nothing_is_sent_after_the_stop_async(provider, shape):
    """So does an async one."""
    async with _connected(provider, "AsyncAnthropic") as client:
        with agentguard.run("r", guards=[BudgetGuard(max_calls=5)]) as run:
            for turn in range(TURNS):
                with suppress(Exception):
                    await ASYNC[shape](client, turn)
    assert len(provider.requests()) == 5
    assert (run.tally.calls, run.tally.refused.total()) == (5, TURNS - 5)


@pytest.mark.parametrize("shape", SYNC)
def test_tokens_are_those_of_the_servers_log(client, provider, shape):
    """Whatever the shape of the call, its tokens are counted to the last one, disjoint."""
    with agentguard.run("r") as run:
        for turn in range(3):
            SYNC[shape](client, turn)
    billed, counted = provider.usage(), run.tally.usage
    assert billed.cache_read > 0
    assert (counted.input, counted.cache_read) == (billed.input, billed.cache_read)
    assert counted.output == billed.completion
    assert run.tally.models == {MODEL: 3}


@pytest.mark.parametrize("shape", ASYNC)
async def test_tokens_are_those_of_the_servers_log_async(provider, shape):
    """So are they in async code."""
    async with _connected(provider, "AsyncAnthropic") as client:
        with agentguard.run("r") as run:
            await asyncio.gather(*(ASYNC[shape](client, turn) for turn in range(3)))
    billed = provider.usage()
    assert sum(run.tally.usage) == billed.prompt + billed.completion


def test_counting_tokens_is_no_call_to_a_model(client):
    """What only counts tokens is not asked about, and not refused."""
    from anthropic import NotFoundError

    with (
        agentguard.run("r", guards=[BudgetGuard(max_calls=1)]) as run,
        suppress(NotFoundError),
    ):
        request = {key: value for key, value in _request(1).items() if key != "max_tokens"}
        client.messages.count_tokens(**request)
    assert run.tally.calls == 0


@pytest.mark.parametrize("streamed", [False, True])
def test_guards_see_what_was_asked_and_what_came_back(start_provider, streamed):
    """Guards are told the request's model, limit and messages, and the tools that it answered."""
    seen = []

    class Look(Guard):
        def on_end(self, call):
            seen.append((call.provider, call.model, call.max_tokens, call.content, call.output))

    server = start_provider(
        lambda asked: Answer("Let me see.", (ToolCall("toolu_1", "search", '{"q": "x"}'),))
    )
    with (
        closing(_connected(server)) as client,
        agentguard.run("r", guards=[Look()]),
    ):
        answer = client.messages.create(**_request(1), tools=TOOLS, stream=streamed)
        for _ in answer if streamed else ():
            pass
    ((provider, model, most, content, output),) = seen
    assert (provider, model, most) == ("anthropic", MODEL, 100)
    assert [message["role"] for message in content] == ["system", "user", "assistant", "user"]
    (asked,) = output["tool_calls"]
    assert (output["text"], asked["name"]) == ("Let me see.", "search")
    assert asked["arguments"] in ({"q": "x"}, '{"q": "x"}')


def test_a_stream_is_cut(start_provider):
    """An answer is cut in the middle where a guard objects to it, and so is what comes after."""

    class NoMoreThan(Guard):
        def on_progress(self, call):
            return self.stop("long enough") if call.streamed_chars > 1000 else None

    server = start_provider(lambda asked: Answer("word " * 4000))
    events = []
    with (
        closing(_connected(server)) as client,
        agentguard.run("r", guards=[NoMoreThan()]) as run,
    ):
        with pytest.raises(RunStopped, match="long enough"):
            events.extend(_stream(client, 1))
        with pytest.raises(RunStopped, match="long enough"):
            _create(client, 2)
    said = [event.delta.text for event in events if event.type == "content_block_delta"]
    assert 900 < len("".join(said)) <= 1000
    assert (len(server.requests()), run.tally.calls) == (1, 1)


@pytest.mark.parametrize("how", ["closed", "dropped"])
def test_an_abandoned_stream_ends_its_reservation(client, how):
    """A stream that nobody reads on is over: nothing is held for it any more."""
    with agentguard.run("r", guards=[BudgetGuard(max_calls=3, max_tokens=100_000)]) as run:
        stream = _stream(client, 1)
        next(iter(stream))
        if how == "closed":
            stream.close()
        else:
            del stream
            gc.collect()
        assert until(lambda: run.tally.calls == 1)
        assert run.guards[0].left.calls == 2


async def test_a_deadline_ends_an_async_stream(start_provider):
    """A task that reads a slow answer ends at the deadline, as TimeoutExceeded."""
    server = start_provider(lambda asked: Answer("word " * 400), pause_s=0.2)
    began = time.monotonic()
    async with _connected(server, "AsyncAnthropic") as client:
        with (
            pytest.raises(TimeoutExceeded),
            agentguard.run("r", guards=[TimeoutGuard(max_seconds=1)]),
        ):
            await _read_async(client, 1)
    assert time.monotonic() - began < 5
