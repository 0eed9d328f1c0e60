"""POST /api/ingest answers as agentguard47's users expect and is bounded as OTLP is."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Callable
from typing import Any

import httpx2
import pytest

from tests.collector.agentguard47_lines import body_of, event_line, span_line, spans_of
from tests.collector.conftest import Collector, Shared, wait_until
from tests.collector.otlp_samples import identity

NDJSON = "application/x-ndjson"


def post(collector: Collector, body: bytes, **headers: str) -> httpx2.Response:
    """Send lines; `headers` are added, underscores read as dashes."""
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    basic = {"content-type": NDJSON, "authorization": f"Bearer {collector.key}"}
    url = f"{collector.url}/api/ingest"
    return collector.client.post(url, content=body, headers={**basic, **given})


def new_lines(count: int) -> list[dict[str, Any]]:
    """A span's end line and events in it, in a trace of their own."""
    trace = {"trace_id": os.urandom(16).hex()}
    events = [event_line(data={"n": number}, **trace) for number in range(count - 1)]
    return [*events, span_line(**trace)]


def stored(shared: Shared, lines: list[dict[str, Any]]) -> list[int]:
    """How many times each of the lines' spans was inserted."""
    counts = shared.store.span_counts()
    return [counts[identity(span)] for span in spans_of(*lines)]


@pytest.mark.parametrize("compress", [None, gzip.compress])
def test_lines_are_acknowledged_and_stored_once(
    shared: Shared, compress: Callable[[bytes], bytes] | None
) -> None:
    """Plain or gzip, with or without a key for idempotence, what comes again is stored once."""
    lines = new_lines(40)
    body = body_of(*lines)
    headers = {"content_encoding": "gzip"} if compress else {}
    for number in range(3):
        answer = post(
            shared.collector,
            compress(body) if compress else body,
            idempotency_key=f"{number // 2}",
            **headers,
        )
        assert answer.status_code == 200
        assert answer.json() == {"accepted": 40, "rejected": 0, "errors": []}
    wait_until(lambda: stored(shared, lines) == [1] * 40)
    assert post(shared.collector, body_of(*lines[:3], *new_lines(1))).status_code == 200
    wait_until(lambda: shared.collector.metric("agentguard_wal_bytes") == 0)
    assert stored(shared, lines) == [1] * 40


def test_a_bad_line_is_named_and_the_good_ones_are_kept(shared: Shared) -> None:
    """Numbers of lines are those of the body, blank ones included."""
    lines = new_lines(2)
    answer = post(shared.collector, body_of(lines[0], b"", b"{", lines[1]))
    assert answer.status_code == 200
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (2, 1)
    assert [error["line"] for error in answer.json()["errors"]] == [3]
    wait_until(lambda: stored(shared, lines) == [1, 1])


def test_a_body_without_a_good_line_is_bad_data(shared: Shared) -> None:
    """The sender hears of it: 400, with the reasons in the same form, and need not try again."""
    answer = post(shared.collector, b"<html>\n[]")
    assert answer.status_code == 400
    assert (answer.json()["accepted"], answer.json()["rejected"]) == (0, 2)
    assert [error["line"] for error in answer.json()["errors"]] == [1, 2]
    assert post(shared.collector, b"").json() == {"accepted": 0, "rejected": 0, "errors": []}


def test_large_bodies_are_taken(shared: Shared) -> None:
    """A body that is turned into spans beside the loop is answered as a small one is."""
    lines = new_lines(1_000)
    assert post(shared.collector, body_of(*lines)).json()["accepted"] == 1_000
    wait_until(lambda: stored(shared, lines) == [1] * 1_000)


def test_without_a_valid_key_nothing_is_accepted(shared: Shared) -> None:
    """A wrong key or a revoked one: 401; one without the scope ingest: 403."""
    key_id, revoked = shared.home.mint("ingest")
    shared.home.control.keys.revoke(key_id)
    for key in ("agk_wrong", revoked):
        answer = post(shared.collector, b"{}", authorization=f"Bearer {key}")
        assert answer.status_code == 401
    _, reader = shared.home.mint("read")
    assert post(shared.collector, b"{}", authorization=f"Bearer {reader}").status_code == 403


def test_requests_of_another_kind_are_refused(shared: Shared) -> None:
    """Other methods, content types and encodings: 405, 415 and 415, each saying what is spoken."""
    assert shared.collector.client.get(f"{shared.collector.url}/api/ingest").status_code == 405
    answer = post(shared.collector, b"{}", content_type="application/json")
    assert (answer.status_code, NDJSON in answer.json()["message"]) == (415, True)
    assert post(shared.collector, b"{}", content_encoding="br").status_code == 415


@pytest.mark.parametrize("encoding", ["identity", "gzip"])
def test_oversized_bodies_are_refused(shared: Shared, encoding: str) -> None:
    """More bytes than the limit, also only after decompression, or too many lines: 413."""
    for body in (b" " * (5 << 20), b"\n" * 100_001):
        data = gzip.compress(body) if encoding == "gzip" else body
        assert post(shared.collector, data, content_encoding=encoding).status_code == 413
    assert post(shared.collector, b"\x1f\x8b\x08damage", content_encoding="gzip").status_code == 400


def test_who_sends_too_fast_is_told_to_wait(launch: Callable[..., Collector]) -> None:
    """Beyond the key's rate: 429 with Retry-After in seconds, which the sink waits for."""
    collector = launch("--max-spans-per-second", "10")
    answers = [post(collector, body_of(*new_lines(100))) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 429]
    assert float(answers[1].headers["retry-after"]) >= 1


def test_projects_are_apart(shared: Shared) -> None:
    """A line of one project is another's too, if that sends it: whose it is, the key says."""
    other = shared.home.control.projects.create("agentguard47")
    _, key = shared.home.control.keys.mint(other.id, ["ingest"])
    lines = new_lines(3)
    for authorization in (f"Bearer {shared.collector.key}", f"Bearer {key}"):
        answer = post(shared.collector, body_of(*lines), authorization=authorization)
        assert json.loads(answer.content)["accepted"] == 3
    wait_until(lambda: stored(shared, lines) == [2] * 3)
