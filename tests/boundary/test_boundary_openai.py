"""The `openai` client under guards: what is stopped sends nothing, what is not is untouched."""

import asyncio
import gc
import threading
import time
from contextlib import suppress

import openai
import pytest

import agentguard
from agentguard import (
    BudgetExceeded,
    BudgetGuard,
    Guard,
    RunStopped,
    TimeoutExceeded,
    TimeoutGuard,
)
from agentguard.boundary import uninstall
from agentguard.demo.provider import Answer
from agentguard.runtime import runtime
from tests.boundary.conftest import until
from tests.boundary.shapes import ASYNC, SYNC, _chat, _stream

TURNS = 100


def slowly(conversation):
    """An answer that takes far longer than any test."""
    time.sleep(20)
    return Answer("late")


def at_length(conversation):
    """An answer of 2,000 characters."""
    return Answer("word " * 400)


@pytest.mark.parametrize("shape", SYNC)
def test_nothing_is_sent_after_the_stop(client, provider, shape):
    """An agent that catches everything makes 5 of 100 calls, and the server sees 5."""
    with agentguard.run("r", guards=[BudgetGuard(max_calls=5)]) as run:
        for turn in range(TURNS):
            with suppress(Exception):
                SYNC[shape](client, turn)
    assert len(provider.requests()) == 5
    assert (run.stopped.guard, run.tally.calls) == ("budget", 5)
    assert run.tally.refused.total() == TURNS - 5


@pytest.mark.parametrize("shape", ASYNC)
async def test_nothing_is_sent_after_the_stop_async(async_client, provider, shape):
    """So does an async one."""
    with agentguard.run("r", guards=[BudgetGuard(max_calls=5)]) as run:
        for turn in range(TURNS):
            with suppress(Exception):
                await ASYNC[shape](async_client, turn)
    assert len(provider.requests()) == 5
    assert (run.tally.calls, run.tally.refused.total()) == (5, TURNS - 5)


@pytest.mark.parametrize("shape", SYNC)
def test_tokens_are_those_of_the_servers_log(client, provider, shape):
    """Whatever the shape of the call, its tokens are counted to the last one, disjoint."""
    with agentguard.run("r") as run:
        for turn in range(3):
            SYNC[shape](client, turn)
    billed = provider.usage()
    counted = run.tally.usage
    assert (counted.input, counted.cache_read) == (billed.input, billed.cache_read)
    assert (counted.output, counted.reasoning) == (billed.output, billed.reasoning)
    assert sum(run.tally.models.values()) == 3


@pytest.mark.parametrize("shape", ASYNC)
async def test_tokens_are_those_of_the_servers_log_async(async_client, provider, shape):
    """So are they in async code."""
    with agentguard.run("r") as run:
        await asyncio.gather(*(ASYNC[shape](async_client, turn) for turn in range(3)))
    billed = provider.usage()
    assert sum(run.tally.usage) == billed.prompt + billed.completion


def test_fifty_threads_and_a_cap_of_ten(client, provider):
    """Of 50 threads exactly 10 send their call, and all 10 get their answer."""
    done = []

    def work(turn: int) -> None:
        with suppress(RunStopped):
            done.append(_chat(client, turn))

    with agentguard.run("r", guards=[BudgetGuard(max_calls=10)]):
        threads = [
            threading.Thread(target=agentguard.propagate(work), args=(n,)) for n in range(50)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert (len(provider.requests()), len(done)) == (10, 10)


async def test_fifty_tasks_and_a_cap_of_ten(async_client, provider):
    """Of 50 tasks exactly 10 send their call, and all 10 get their answer."""
    with agentguard.run("r", guards=[BudgetGuard(max_calls=10)]):
        answers = await asyncio.gather(
            *(_chat(async_client, n) for n in range(50)), return_exceptions=True
        )
    assert len(provider.requests()) == 10
    assert sum(not isinstance(answer, Exception) for answer in answers) == 10
    assert sum(isinstance(answer, BudgetExceeded) for answer in answers) == 40


async def test_twenty_at_once_and_money_for_two(async_client, provider):
    """Of 20 concurrent calls two are sent when there is money for two; neither is wasted."""
    price = 0.00015 * 40 / 1000 + 0.0006 * 500 / 1000
    guard = BudgetGuard(max_cost_usd=price * 2.2)
    with agentguard.run("r", guards=[guard]):
        answers = await asyncio.gather(
            *(
                async_client.chat.completions.create(
                    model="gpt-4o-mini",
                    messages=[{"role": "user", "content": "a question"}],
                    max_tokens=500,
                )
                for _ in range(20)
            ),
            return_exceptions=True,
        )
    answered = [answer for answer in answers if not isinstance(answer, Exception)]
    assert (len(provider.requests()), len(answered)) == (2, 2)


def test_a_stream_is_cut(start_provider):
    """An answer is cut in the middle where the budget ends; what arrived is counted."""
    server = start_provider(at_length)
    client = openai.OpenAI(base_url=server.base_url, api_key=server.api_key)
    pieces = []
    with agentguard.run("r", guards=[BudgetGuard(max_tokens=150)]) as run:
        with pytest.raises(BudgetExceeded):
            pieces.extend(_stream(client, 1))
        with pytest.raises(BudgetExceeded):
            _chat(client, 2)
    assert 1 < len(pieces) < 60
    assert len(server.requests()) == 1
    assert run.stopped.guard == "budget"


@pytest.mark.parametrize("how", ["closed", "dropped", "never read"])
def test_an_abandoned_stream_ends_its_reservation(client, how):
    """A stream that nobody reads on is over: nothing is held for it any more."""
    with agentguard.run("r", guards=[BudgetGuard(max_calls=3, max_tokens=100_000)]) as run:
        stream = _stream(client, 1)
        if how != "never read":
            next(iter(stream))
        if how == "closed":
            stream.close()
        else:
            del stream
            gc.collect()
        (guard,) = run.guards
        assert until(lambda: run.tally.calls == 1)
        assert until(lambda: guard.spent.calls == 1)
        assert guard.left.calls == 2


def test_the_collector_settles_nothing_under_a_lock(client):
    """A stream that the garbage collector finds is settled, whatever lock its thread holds then."""
    with agentguard.run("r", guards=[BudgetGuard(max_calls=3)]) as run:
        cycle: list[object] = [_stream(client, 1)]
        cycle.append(cycle)
        del cycle
        with run.tally._lock:
            gc.collect()
        assert until(lambda: run.tally.calls == 1)


def test_retries_of_one_call_are_one_call(start_provider):
    """A call that the client tries again counts once, and the budget is asked once."""
    server = start_provider(refuse_every=2)
    client = openai.OpenAI(base_url=server.base_url, api_key=server.api_key, max_retries=3)
    with agentguard.run("r", guards=[BudgetGuard(max_calls=3)]) as run:
        for turn in range(3):
            _chat(client, turn)
    assert run.tally.calls == 3
    assert len(server.requests()) > 3


def test_no_retry_after_the_stop(start_provider):
    """A call that is being tried again when its run is stopped is given up."""
    server = start_provider(refuse_every=1)
    client = openai.OpenAI(base_url=server.base_url, api_key=server.api_key, max_retries=50)
    with agentguard.run("r", guards=[BudgetGuard(max_calls=9)]) as run:
        threading.Timer(0.3, run.stop, ["enough"]).start()
        with pytest.raises(RunStopped, match="enough"):
            _chat(client, 1)
    sent = len(server.requests())
    assert sent < 50


def test_a_stop_between_the_question_and_the_request(client, provider):
    """A call that was let begin is not sent when its run is stopped by somebody just then."""

    class StoppedMeanwhile(Guard):
        def on_start(self, call):
            call.run.latch(call.run.stop_for("enough"))

    with (
        agentguard.run("r", guards=[StoppedMeanwhile()]) as run,
        pytest.raises(RunStopped, match="enough"),
    ):
        _chat(client, 1)
    assert (run.tally.calls, run.tally.refused.total()) == (0, 1)
    assert provider.requests() == []


async def test_a_deadline_cancels_what_waits(start_provider):
    """At the deadline an async call that waits for its answer ends, as TimeoutExceeded."""
    server = start_provider(slowly)
    began = time.monotonic()
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key=server.api_key) as client:
        with (
            pytest.raises(TimeoutExceeded),
            agentguard.run("r", guards=[TimeoutGuard(max_seconds=0.5)]) as run,
        ):
            await _chat(client, 1)
    assert time.monotonic() - began < 5
    assert run.stopped.unit == "seconds"


async def test_a_deadline_cancels_every_task_of_a_run(start_provider):
    """Tasks of the run that wait for answers end with it, each as TimeoutExceeded."""
    server = start_provider(slowly)
    ended = []
    tasks = []

    async def work(client, turn):
        try:
            await _chat(client, turn)
        except Exception as error:
            ended.append(type(error))
            raise

    async def work_in_a_run(client):
        with agentguard.run("r", guards=[TimeoutGuard(max_seconds=0.5)]):
            tasks.extend(asyncio.create_task(work(client, turn)) for turn in range(3))
            await asyncio.wait(tasks)

    async with openai.AsyncOpenAI(base_url=server.base_url, api_key=server.api_key) as client:
        with pytest.raises(TimeoutExceeded):
            await work_in_a_run(client)
        await asyncio.wait(tasks)
    assert ended == [TimeoutExceeded] * 3
    assert all(isinstance(task.exception(), TimeoutExceeded) for task in tasks)


async def test_a_deadline_cancels_what_waits_outside_of_runs(start_provider):
    """So it does for a task of its own under the guards of the whole process."""
    runtime.guards = (TimeoutGuard(max_seconds=0.5),)
    server = start_provider(slowly)
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key=server.api_key) as client:
        with pytest.raises(TimeoutExceeded):
            await _chat(client, 1)
        with pytest.raises(TimeoutExceeded):
            await _chat(client, 2)
    assert len(server.requests()) == 0


@pytest.mark.parametrize("retries", [0, 2])
def test_a_deadline_bounds_a_call_in_a_thread(start_provider, retries):
    """A sync call gets the time that is left, ends as TimeoutExceeded, and is not tried again."""
    server = start_provider(slowly)
    client = openai.OpenAI(base_url=server.base_url, api_key=server.api_key, max_retries=retries)
    began = time.monotonic()
    with agentguard.run("r", guards=[TimeoutGuard(max_seconds=0.5)]) as run:
        with pytest.raises(TimeoutExceeded):
            _chat(client, 1)
        with pytest.raises(TimeoutExceeded):
            _chat(client, 2)
    assert time.monotonic() - began < 5
    assert run.stopped.guard == "timeout"


@pytest.mark.parametrize("idle", [False, True])
def test_a_deadline_ends_a_stream_in_a_thread(start_provider, idle):
    """A thread that waits for the next piece of an answer gets on at the deadline."""
    server = start_provider(at_length, pause_s=3 if idle else 0.2)
    client = openai.OpenAI(base_url=server.base_url, api_key=server.api_key, timeout=60)
    guard = TimeoutGuard(idle_seconds=0.6) if idle else TimeoutGuard(max_seconds=1)
    began = time.monotonic()
    with agentguard.run("r", guards=[guard]), pytest.raises(TimeoutExceeded):
        for _ in _stream(client, 1):
            pass
    assert time.monotonic() - began < 6


async def test_a_deadline_ends_an_async_stream(start_provider):
    """So does a task."""
    server = start_provider(at_length, pause_s=0.2)
    async with openai.AsyncOpenAI(base_url=server.base_url, api_key=server.api_key) as client:
        with (
            pytest.raises(TimeoutExceeded),
            agentguard.run("r", guards=[TimeoutGuard(max_seconds=1)]),
        ):
            async for _ in await _stream(client, 1):
                pass


def test_without_guards_nothing_changes(client, provider):
    """Outside of runs, and after the boundary was taken away, calls are the client's own."""
    _chat(client, 1)
    uninstall()
    with agentguard.run("r") as run:
        _chat(client, 2)
    assert run.tally.calls == 0
    assert len(provider.requests()) == 2


def test_errors_stay_what_they_are(client, provider):
    """What the server refuses is the client's own exception, and a call that failed."""
    with (
        agentguard.run("r", guards=[BudgetGuard(max_calls=9)]) as run,
        pytest.raises(openai.BadRequestError),
    ):
        client.chat.completions.create(model="gpt-4o-mini", messages=[])
    assert (run.tally.errors, run.stopped) == (1, None)


def test_requests_for_anything_else_are_let_through(client, provider):
    """What is not sent to a model is not asked about, also once its run was stopped."""
    with agentguard.run("r", guards=[BudgetGuard(max_calls=9)]) as run:
        run.stop()
        with pytest.raises(openai.NotFoundError):
            client.images.generate(prompt="a cat", model="gpt-image-1")
    assert (run.tally.calls, len(provider.requests())) == (0, 1)


def test_an_answer_that_the_caller_reads_in_bytes_is_one_call(client, provider):
    """`with_streaming_response` is guarded as well; what it holds is the caller's to read."""
    shape = client.chat.completions.with_streaming_response
    with agentguard.run("r", guards=[BudgetGuard(max_calls=1)]) as run:
        with shape.create(model="gpt-4o-mini", messages=[{"role": "user", "content": "x"}]) as raw:
            assert b"choices" in b"".join(raw.iter_bytes())
        with pytest.raises(BudgetExceeded):
            _chat(client, 1)
    assert (run.tally.calls, len(provider.requests())) == (1, 1)


def test_a_guard_that_fails_fails_by_itself(client, provider):
    """Whatever goes wrong on our side, the call is made, and its answer is the client's."""

    class Broken(Guard):
        def on_start(self, call):
            raise KeyError("start")

        def on_end(self, call):
            raise KeyError("end")

        def deadline(self):
            raise KeyError("deadline")

    with agentguard.run("r", guards=[Broken()]) as run:
        assert _chat(client, 1).choices
    assert (run.tally.calls, len(provider.requests())) == (1, 1)


def test_azure_is_guarded_by_its_own_name(provider):
    """Its paths and its client are others, and its calls the same."""
    seen = []

    class Look(Guard):
        def on_start(self, call):
            seen.append((call.provider, call.model))
            return self.stop("no")

    address = provider.base_url.removesuffix("/v1")
    client = openai.AzureOpenAI(azure_endpoint=address, api_key="x", api_version="2024-10-21")
    with agentguard.run("r", guards=[Look()]), pytest.raises(RunStopped):
        _chat(client, 1)
    assert seen == [("azure.ai.openai", "gpt-4o-mini")]
    assert provider.requests() == []
