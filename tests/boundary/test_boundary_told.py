"""Requests inside a call that said all it asks before: not read again, and guarded all the same."""

import threading
import time
from contextlib import closing, suppress

import openai
import pytest

import agentguard
from agentguard import BudgetExceeded, BudgetGuard, Guard, RunStopped, TimeoutExceeded, TimeoutGuard
from agentguard.demo.provider import Answer
from agentguard_integrations.model_call import ModelCall
from tests.boundary.shapes import MODEL, _chat, _stream

QUESTION = [{"role": "user", "content": "Where do otters sleep?"}]


class _Unread:
    """Reads nothing: what is known of the answer is what the client's edge has read."""

    def add(self, said):
        return 0

    def tell(self, call):
        pass


class _Ends(Guard):
    """Keeps what ended."""

    def on_end(self, call):
        ended.append((call.content, call.usage))


ended = []


@pytest.fixture(autouse=True)
def _nothing_ended():
    ended.clear()


def _told() -> ModelCall:
    scope = agentguard.chat_span(MODEL, provider="openai")
    scope.given = lambda: QUESTION
    return ModelCall(scope, lambda _: _Unread())


def _client(server, **options) -> openai.OpenAI:
    return openai.OpenAI(base_url=server.base_url, api_key=server.api_key, **options)


def test_what_was_told_is_not_read_again(client):
    """What the call was given stays what guards look at, and the answer is the client's."""
    with agentguard.run("r", guards=[_Ends()]):
        _told().run(lambda: _chat(client, 1))
    ((content, usage),) = ended
    assert content is QUESTION
    assert usage.output > 0


def test_what_was_not_told_is_read(client):
    """Of a call that did not say what it asks, guards are shown the request."""
    with agentguard.run("r", guards=[_Ends()]):
        ModelCall(agentguard.chat_span(MODEL, provider="openai"), lambda _: _Unread()).run(
            lambda: _chat(client, 1)
        )
    ((content, _),) = ended
    assert content == [{"role": "user", "content": "question 1"}]


def test_a_stop_before_the_request_is_heard(client, provider):
    """A call whose run is stopped after it was let begin sends nothing, and is refused."""
    with agentguard.run("r", guards=[BudgetGuard(max_calls=9)]) as run:
        call = _told()
        run.stop("enough")
        with pytest.raises(RunStopped, match="enough"):
            call.run(lambda: _chat(client, 1))
    assert provider.requests() == []
    assert (run.tally.calls, run.tally.refused.total()) == (0, 1)


def test_no_second_request_after_the_stop(start_provider):
    """A request that falls back on another one within the call is refused once it is stopped."""
    server = start_provider(refuse_every=1)

    def falling_back(client):
        with suppress(openai.APIError):
            _chat(client, 1)
        run.stop("enough")
        return _chat(client, 2)

    with (
        closing(_client(server, max_retries=0)) as client,
        agentguard.run("r", guards=[BudgetGuard(max_calls=9)]) as run,
        pytest.raises(RunStopped, match="enough"),
    ):
        _told().run(lambda: falling_back(client))
    assert len(server.requests()) == 1


def test_a_request_after_the_answer_is_another_call(client, provider):
    """Guards are asked about a request that is made within a call when that has its answer."""
    with agentguard.run("r", guards=[_Ends()]) as run:
        _told().run(lambda: [_chat(client, turn) for turn in range(2)])
    assert [content for content, _ in ended] == [
        [{"role": "user", "content": "question 1"}],
        QUESTION,
    ]
    assert run.tally.calls == len(provider.requests()) == 2


def test_retries_stay_one_reservation(start_provider):
    """Whatever the client tries again within the call counts once."""
    server = start_provider(refuse_every=2)
    with (
        closing(_client(server, max_retries=3)) as client,
        agentguard.run("r", guards=[BudgetGuard(max_calls=3)]) as run,
    ):
        for turn in range(3):
            _told().run(lambda turn=turn: _chat(client, turn))
    assert run.tally.calls == 3
    assert len(server.requests()) > 3


def test_a_deadline_bounds_the_request(start_provider):
    """The request gets the time that is left, and ends as TimeoutExceeded."""

    def slowly(conversation):
        threading.Event().wait(20)
        return Answer("late")

    began = time.monotonic()
    with (
        closing(_client(start_provider(slowly))) as client,
        agentguard.run("r", guards=[TimeoutGuard(max_seconds=0.5)]),
        pytest.raises(TimeoutExceeded),
    ):
        _told().run(lambda: _chat(client, 1))
    assert time.monotonic() - began < 5


def test_a_stream_is_cut(start_provider):
    """A streamed answer is cut where the budget ends."""
    server = start_provider(lambda conversation: Answer("word " * 400))
    pieces = []
    with (
        closing(_client(server)) as client,
        agentguard.run("r", guards=[BudgetGuard(max_tokens=150)]),
    ):
        call = _told()
        stream = call.send(lambda: _stream(client, 1))
        with pytest.raises(BudgetExceeded):
            pieces.extend(call.stream(iter(stream)))
    assert 1 < len(pieces) < 60
