"""How often, and after how long, the client sends a call again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx2
import pytest

from agentguard.client import (
    BadRequest,
    Client,
    ConnectionFailed,
    CutOff,
    RateLimited,
    ServerFailed,
)
from agentguard.errors import ConfigurationError

BUDGETS = httpx2.Response(200, json=[])


def client_of(answers: list[object], **options: object) -> tuple[Client, list[httpx2.Request]]:
    """A client whose requests meet these answers in turn, and what it sent."""
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        found = answers[min(len(sent), len(answers)) - 1]
        if isinstance(found, Exception):
            raise found
        assert isinstance(found, httpx2.Response)
        return found

    transport = httpx2.MockTransport(answer)
    made = Client("http://collector.test:4318", "agk_secret", transport=transport, **options)
    return made, sent


def refusal(status: int, **headers: str) -> httpx2.Response:
    """A problem, as the API tells it."""
    return httpx2.Response(
        status,
        json={"title": "no", "status": status, "code": "busy", "detail": "ask again"},
        headers={"content-type": "application/problem+json", **headers},
    )


@pytest.mark.parametrize("status", [429, 503])
def test_it_waits_as_long_as_it_is_told(status):
    """After a refusal with Retry-After the call is sent again, not before that time."""
    client, sent = client_of([refusal(status, **{"retry-after": "1"}), BUDGETS])
    began = time.monotonic()
    assert client.budgets() == []
    assert len(sent) == 2
    assert time.monotonic() - began >= 1


def test_it_does_not_wait_for_ever():
    """A refusal for longer than the caller would wait is told at once."""
    client, sent = client_of([refusal(429, **{"retry-after": "3600"})])
    with pytest.raises(RateLimited) as told:
        client.budgets()
    assert len(sent) == 1
    assert (told.value.status, told.value.code) == (429, "busy")
    assert "ask again" in str(told.value)


def test_it_gives_up_after_so_many_times():
    """A server that stays away is asked `retries` times more, and no further."""
    client, sent = client_of([refusal(503, **{"retry-after": "0"})], retries=2)
    with pytest.raises(ServerFailed):
        client.budgets()
    assert len(sent) == 3


def test_what_is_wrong_is_not_sent_again():
    """A request that cannot be answered as it is is sent once."""
    client, sent = client_of([refusal(400)])
    with pytest.raises(BadRequest):
        client.budgets()
    assert len(sent) == 1


def test_what_must_not_happen_twice_is_not_sent_twice():
    """Where it is not known whether a link was made, no second one is."""
    client, sent = client_of([httpx2.ReadTimeout("late")])
    with pytest.raises(ConnectionFailed, match="no answer in time"):
        client.share_trace("a" * 32)
    assert len(sent) == 1


def test_what_may_happen_twice_is_sent_again():
    """A reservation has an id: to send it again is safe, and it is the same one."""
    refused = httpx2.Response(404, json={"detail": "there is no such budget"})
    client, sent = client_of([httpx2.ReadTimeout("late"), refused])
    with pytest.raises(Exception, match="no such budget"):
        client.reserve("team", usd=1)
    assert len(sent) == 2
    assert sent[0].content == sent[1].content


class _Cut(httpx2.SyncByteStream):
    def __iter__(self) -> Iterator[bytes]:
        yield b'{"trace_id":'
        raise httpx2.RemoteProtocolError("peer closed connection")


def test_a_stream_that_is_cut_leaves_no_file(tmp_path):
    """Half an export is an error, and does not get the name of a whole one."""
    client, _ = client_of([httpx2.Response(200, stream=_Cut())])
    with pytest.raises(CutOff):
        client.export(tmp_path / "spans.ndjson")
    assert list(tmp_path.iterdir()) == []


def test_an_answer_that_is_no_problem_is_told_in_words():
    """What a proxy or another server says is not passed on, but what to look at."""
    client, _ = client_of([httpx2.Response(404, text="<html>nginx</html>")])
    with pytest.raises(Exception, match="is this the address of an AgentGuard collector"):
        client.budgets()


def test_a_password_in_the_address_is_refused():
    """An address is shown in messages: no secret may be part of it."""
    with pytest.raises(ConfigurationError, match="api_key"):
        Client("http://user:secret@collector.test")


def test_the_settings_are_those_of_the_sdk(monkeypatch):
    """Where nothing is given, the variables say where the collector is, and with which key."""
    monkeypatch.setenv("AGENTGUARD_ENDPOINT", "http://collector.test:4318")
    monkeypatch.setenv("AGENTGUARD_API_KEY", "agk_of_the_environment")
    sent: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        sent.append(request)
        return BUDGETS

    with Client(transport=httpx2.MockTransport(answer)) as client:
        client.budgets()
    assert str(sent[0].url) == "http://collector.test:4318/api/v1/budgets"
    assert sent[0].headers["authorization"] == "Bearer agk_of_the_environment"
