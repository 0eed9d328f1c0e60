"""Nothing that was acknowledged is lost: not to kills, a full disk, or a store that is away."""

from __future__ import annotations

import itertools
import os
import random
import resource
import socket
import time
from collections.abc import Callable
from pathlib import Path

import grpc
import httpx2
import psutil
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status.rpc_status import from_call

from tests.collector.conftest import Collector, Home, Shared, wait_until
from tests.collector.load import Load
from tests.collector.otlp_samples import identity, make_request, make_span
from tests.collector.recording_store import RecordingStore
from tests.plain_http import NO_TLS

Launch = Callable[..., Collector]


@pytest.mark.parametrize("kills", [1, pytest.param(50, marks=pytest.mark.soak)])
@pytest.mark.timeout(900)
def test_kills_lose_and_double_nothing(launch: Launch, store: RecordingStore, kills: int) -> None:
    """Killed under load again and again, the collector stores each acknowledged span once."""
    collector = launch()
    current = [collector]
    load = Load(lambda body: current[0].post(body).status_code)
    load.start()
    chance = random.Random(kills)  # noqa: S311 - any moment will do
    for _ in range(kills):
        time.sleep(chance.uniform(0.1, 1.0))
        current[0].process.kill()
        current[0] = launch()
    load.finish()
    wait_until(lambda: current[0].metric("agentguard_wal_bytes") == 0)
    counts = store.span_counts()
    assert load.acknowledged
    assert load.acknowledged - set(counts) == set()
    assert [span for span, count in counts.items() if count > 1] == []
    assert store.changed == []


def test_a_store_that_is_away_only_delays(launch: Launch, store: RecordingStore) -> None:
    """While inserts fail in every way, spans are acknowledged; then all are stored, in order."""
    failures = [(503, "busy"), (500, "Code: 252. DB::Exception: TOO_MANY_PARTS"), (500, "")]
    away = [True]
    turns = itertools.cycle(failures)
    store.refuse = lambda token, body: next(turns) if away[0] else None
    collector = launch("--segment-spans", "10")
    spans = [make_span() for _ in range(60)]
    for span in spans:
        assert collector.post(make_request(span)).status_code == 200
    wait_until(lambda: collector.metric("agentguard_flush_failures_total") >= 2)
    assert collector.client.get(f"{collector.url}/readyz").status_code == 200
    away[0] = False
    wait_until(lambda: collector.metric("agentguard_wal_bytes") == 0)
    assert list(store.span_counts()) == [identity(span) for span in spans]


def test_starting_without_a_store_is_possible(launch: Launch) -> None:
    """The log takes spans before the store has ever been seen."""
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        address = f"clickhouse://w:s@127.0.0.1:{nobody.getsockname()[1]}/agentguard"
        collector = launch("--drain-timeout", "0.2", at=address)
        assert collector.post(make_request()).status_code == 200
        ready = collector.client.get(f"{collector.url}/readyz")
        assert (ready.status_code, ready.json()["store_reachable"]) == (200, False)
        assert collector.process.stop() == 0


def test_a_store_that_never_answers_does_not_hold_up_the_end(launch: Launch, home: Home) -> None:
    """An insert that hangs is broken off at shutdown; its segment stays in the log."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"clickhouse://w:s@127.0.0.1:{silent.getsockname()[1]}/agentguard"
        collector = launch("--drain-timeout", "0.2", at=address)
        assert collector.post(make_request()).status_code == 200
        connection, _ = silent.accept()
        with connection:
            assert connection.recv(100)
            begun = time.monotonic()
            assert collector.process.stop() == 0
            assert time.monotonic() - begun < 10
    assert len(list((home.path / "wal").glob("*/*.seg"))) == 1


def test_a_full_log_pushes_back(launch: Launch, store: RecordingStore) -> None:
    """Past its bound the log refuses with 503 and Retry-After, and takes spans again after."""
    store.refuse = lambda token, body: (503, "away")
    collector = launch("--max-wal-bytes", "20000")
    accepted = []
    while (answer := collector.post(make_request(span := make_span()))).status_code == 200:
        accepted.append(identity(span))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0
    assert "full" in Status.FromString(answer.content).message
    with pytest.raises(grpc.RpcError) as refused:
        collector.call(make_request(make_span()))
    assert refused.value.code() is grpc.StatusCode.UNAVAILABLE
    assert any(detail.Is(RetryInfo.DESCRIPTOR) for detail in from_call(refused.value).details)
    refusals = 'agentguard_refused_requests_total{reason="wal_full"}'
    assert collector.metric(refusals) == 2
    assert collector.client.get(f"{collector.url}/readyz").status_code == 503
    store.refuse = lambda token, body: None
    wait_until(lambda: collector.post(make_request(span)).status_code == 200)
    wait_until(lambda: set(store.span_counts()) == {*accepted, identity(span)})
    assert set(store.span_counts().values()) == {1}


def test_a_disk_that_refuses_pushes_back(launch: Launch, store: RecordingStore) -> None:
    """When the log cannot grow, 503; what was refused is not stored, and it recovers."""
    store.refuse = lambda token, body: (503, "away")
    collector = launch()
    (worker,) = [psutil.Process(collector.process.pid)]
    first, second = make_span(), make_span(name="x" * 100_000)
    assert collector.post(make_request(first)).status_code == 200
    # The kernel itself refuses to let any file of that process grow past this size.
    resource.prlimit(worker.pid, resource.RLIMIT_FSIZE, (50_000, resource.RLIM_INFINITY))
    answer = collector.post(make_request(second))
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert collector.post(make_request(make_span(), first)).status_code in (200, 503)
    resource.prlimit(
        worker.pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY)
    )
    store.refuse = lambda token, body: None
    wait_until(lambda: collector.post(make_request(second)).status_code == 200)
    wait_until(lambda: {identity(first), identity(second)} <= set(store.span_counts()))
    wait_until(lambda: collector.metric("agentguard_wal_bytes") == 0)
    assert set(store.span_counts().values()) == {1}


def test_a_log_that_cannot_be_read_for_a_while_is_sent_later(
    launch: Launch, store: RecordingStore, home: Home
) -> None:
    """An unreadable file holds the flow up and is tried again; nothing is skipped or lost."""
    store.refuse = lambda token, body: (503, "away")
    collector = launch("--segment-spans", "1")
    spans = [make_span() for _ in range(3)]
    for span in spans:
        assert collector.post(make_request(span)).status_code == 200
    wait_until(lambda: collector.metric("agentguard_wal_segments") == 3)
    hidden = sorted((home.path / "wal").glob("*/*.seg"))[1]
    aside = hidden.rename(hidden.with_suffix(".aside"))
    hidden.mkdir()
    store.refuse = lambda token, body: None
    wait_until(lambda: "cannot flush the log" in collector.process.stderr)
    hidden.rmdir()
    aside.rename(hidden)
    wait_until(lambda: collector.metric("agentguard_wal_bytes") == 0)
    assert list(store.span_counts()) == [identity(span) for span in spans]
    assert set(store.span_counts().values()) == {1}


def test_a_log_that_was_deleted_does_not_stop_the_others(
    launch: Launch, store: RecordingStore, home: Home
) -> None:
    """What an operator deleted is gone, with an error that says so; the rest goes on."""
    store.refuse = lambda token, body: (503, "away")
    collector = launch("--segment-spans", "1")
    spans = [make_span() for _ in range(3)]
    for span in spans:
        collector.post(make_request(span))
    wait_until(lambda: collector.metric("agentguard_wal_segments") == 3)
    sorted((home.path / "wal").glob("*/*.seg"))[1].unlink()
    store.refuse = lambda token, body: None
    wait_until(lambda: collector.metric("agentguard_wal_bytes") == 0)
    assert list(store.span_counts()) == [identity(spans[0]), identity(spans[2])]
    assert "deleted" in collector.process.stderr


def test_a_record_the_store_cannot_read_does_not_stop_the_others(
    launch: Launch, store: RecordingStore, home: Home
) -> None:
    """A poisonous record is found, kept in a file and counted; all others are stored."""
    store.refuse = lambda token, body: (
        (400, "Code: 33. DB::Exception: Cannot read all data") if b"poison" in body else None
    )
    collector = launch("--segment-seconds", "1")
    spans = [make_span() for _ in range(9)]
    spans.insert(4, make_span(name="poison"))
    for span in spans:
        assert collector.post(make_request(span)).status_code == 200
    wait_until(lambda: collector.metric("agentguard_poisonous_records_total") == 1)
    wait_until(lambda: collector.metric("agentguard_wal_bytes") == 0)
    good = [identity(span) for span in spans if span.name != "poison"]
    assert dict(store.span_counts()) == dict.fromkeys(good, 1)
    (kept,) = (home.path / "wal").glob("*/rejected/*.bin")
    assert b"poison" in kept.read_bytes()


def test_damage_on_disk_is_set_aside_at_the_next_start(
    launch: Launch, store: RecordingStore, home: Home
) -> None:
    """After a kill, a flipped byte and a torn tail cost one record, which is kept for a look."""
    store.refuse = lambda token, body: (503, "away")
    collector = launch()
    spans = [make_span() for _ in range(3)]
    for span in spans:
        collector.post(make_request(span))
    collector.process.kill()
    (log,) = (home.path / "wal").glob("*/*.seg")
    data = bytearray(log.read_bytes())
    data[data.find(spans[1].span_id)] ^= 0xFF
    log.write_bytes(bytes(data) + data[:20])
    store.refuse = lambda token, body: None
    collector = launch()
    wait_until(lambda: collector.metric("agentguard_quarantined_records_total") == 1)
    wait_until(lambda: collector.metric("agentguard_wal_bytes") == 0)
    assert dict(store.span_counts()) == {identity(span): 1 for span in (spans[0], spans[2])}
    assert len(list((home.path / "wal").glob("*/quarantine/*.bin"))) == 1


def test_an_orderly_stop_leaves_nothing_behind(
    launch: Launch, store: RecordingStore, home: Home
) -> None:
    """SIGTERM under load: every acknowledged span is in the store when the process has ended."""
    collector = launch("--segment-seconds", "30", "--quiet-segment-seconds", "30")
    load = Load(lambda body: collector.post(body).status_code)
    load.start(2)
    wait_until(lambda: len(load.acknowledged) > 200)
    assert collector.process.stop() == 0
    assert list((home.path / "wal").glob("*/*.seg")) == []
    again = launch()
    collector.process = again.process
    load.finish()
    assert again.process.stop() == 0
    assert load.acknowledged - set(store.span_counts()) == set()
    assert set(store.span_counts().values()) == {1}


def test_what_a_dead_worker_left_is_sent_by_another(
    launch: Launch, store: RecordingStore, home: Home
) -> None:
    """A log folder whose worker is gone is taken over."""
    store.refuse = lambda token, body: (503, "away")
    collector = launch("--worker", "gone")
    span = make_span()
    collector.post(make_request(span))
    collector.process.kill()
    store.refuse = lambda token, body: None
    launch("--worker", "other")
    wait_until(lambda: dict(store.span_counts()) == {identity(span): 1})
    wait_until(lambda: not list((home.path / "wal" / "gone").glob("*.seg")))


def test_the_end_of_the_parent_is_the_end_of_the_collector(launch: Launch) -> None:
    """When standard input closes, the collector stops in order."""
    collector = launch()
    assert collector.process.popen.stdin is not None
    collector.process.popen.stdin.close()
    assert collector.process.popen.wait(20) == 0
    collector.process.popen.stdin = None


def test_a_worker_that_dies_is_replaced(launch: Launch) -> None:
    """With several workers the ports answer on after one is killed, and a stop ends all.

    Even while a worker is replaced: that which takes a dead one's place is not left behind, and
    nobody waits for it.
    """
    collector = launch("--workers", "2")
    parent = psutil.Process(collector.process.pid)
    before = {child.pid for child in parent.children()}
    victim = min(before)
    os.kill(victim, 9)
    wait_until(
        lambda: len({c.pid for c in parent.children() if c.is_running()} - {victim}) == 2, 30
    )

    def answers() -> bool:
        with httpx2.Client(trust_env=False, verify=NO_TLS) as client:
            return client.get(f"{collector.url}/healthz").status_code == 200

    wait_until(answers)
    next_victim = parent.children()[0]
    next_victim.kill()
    wait_until(lambda: next_victim not in parent.children())
    children = parent.children()
    assert collector.process.stop(15) == 0
    assert not [child for child in children if child.is_running()]


def test_a_bomb_does_not_explode(shared: Shared, tmp_path: Path) -> None:
    """A gigabyte of zeros in a few hundred kilobytes is refused without being unpacked."""
    import gzip

    bomb = gzip.compress(bytes(1 << 20)) * 1024
    process = psutil.Process(shared.collector.process.pid)
    shared.collector.post(bomb, content_encoding="gzip")
    before = process.memory_info().rss
    for _ in range(5):
        assert shared.collector.post(bomb, content_encoding="gzip").status_code == 413
    assert process.memory_info().rss - before < 32 << 20
