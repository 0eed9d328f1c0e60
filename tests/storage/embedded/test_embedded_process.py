"""The process around the engine: one per directory, ends when told, survives being killed."""

from __future__ import annotations

import os
import signal
import stat
from collections.abc import Callable
from pathlib import Path

import httpx2
import pytest

from tests.conftest import Engine
from tests.plain_http import NO_TLS
from tests.processes import StartError

Start = Callable[..., Engine]


def _send(engine: Engine, sql: str, content: bytes = b"", **params: str) -> httpx2.Response:
    auth = ("writer", engine.credentials.writer)
    with httpx2.Client(auth=auth, timeout=30, verify=NO_TLS) as client:
        return client.post(engine.url, params={"query": sql} | params, content=content)


def test_credentials_are_private_and_stay(start_engine: Start, tmp_path: Path):
    """Passwords are readable by their owner alone, never printed, and the same after a restart."""
    first = start_engine(tmp_path / "a b&c")
    path = Path(first.process.ready["credentials"])
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(first.process.ready) == {"port", "credentials"}
    assert first.credentials.writer not in repr(first.credentials)
    _send(first, "CREATE TABLE t (a Int32) ENGINE = MergeTree ORDER BY a")
    assert first.process.stop() == 0
    again = start_engine(tmp_path / "a b&c")
    assert again.credentials == first.credentials
    assert _send(again, "EXISTS TABLE t").text == "1\n"
    assert again.credentials.writer not in again.process.stderr


def test_a_directory_opens_once(start_engine: Start, tmp_path: Path):
    """A second engine on the directory ends with code 2 and one clear line."""
    first = start_engine(tmp_path)
    with pytest.raises(StartError, match="exit code 2") as refused:
        start_engine(tmp_path, "--wait-lock", "0.2")
    lines = refused.value.stderr.splitlines()
    assert len(lines) == 1
    assert f"{tmp_path} is already open in process {first.process.pid}" in lines[0]
    assert _send(first, "SELECT 1").text == "1\n"


def test_a_taken_port_is_said_so(start_engine: Start, tmp_path: Path):
    """A port in use ends the start with code 2 and one line."""
    first = start_engine(tmp_path / "one")
    with pytest.raises(StartError, match="exit code 2") as refused:
        start_engine(tmp_path / "two", "--port", str(first.port))
    assert "Address already in use" in refused.value.stderr
    assert len(refused.value.stderr.splitlines()) == 1


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_signals_end_it_cleanly(start_engine: Start, tmp_path: Path, number: int):
    """SIGTERM and SIGINT end the process with code 0, what was inserted kept."""
    engine = start_engine(tmp_path)
    _send(engine, "CREATE TABLE t (a Int32) ENGINE = MergeTree ORDER BY a")
    _send(engine, "INSERT INTO t FORMAT CSV", b"1\n2\n")
    os.kill(engine.process.pid, number)
    assert engine.process.popen.wait(30) == 0
    assert "Traceback" not in engine.process.stderr
    assert _send(start_engine(tmp_path), "SELECT sum(a) FROM t").text == "3\n"


def test_a_running_query_does_not_keep_it_alive(start_engine: Start, tmp_path: Path):
    """Shutting down waits for running requests for a bounded time only."""
    engine = start_engine(tmp_path)
    auth = ("writer", engine.credentials.writer)
    sql = "SELECT number FROM system.numbers"
    with httpx2.stream(
        "GET", engine.url, params={"query": sql}, auth=auth, timeout=30, verify=NO_TLS
    ) as answer:
        assert answer.status_code == 200
        assert engine.process.stop(timeout=25) == 0


def test_it_ends_with_its_parent(start_engine: Start, tmp_path: Path):
    """When standard input ends, as it does when the parent dies, so does the engine."""
    engine = start_engine(tmp_path)
    assert engine.process.popen.stdin is not None
    engine.process.popen.stdin.close()
    assert engine.process.popen.wait(30) == 0


def test_killed_in_the_middle_of_inserts_nothing_acknowledged_is_lost(
    start_engine: Start, tmp_path: Path
):
    """After kill -9 every acknowledged token is there once, and repeating them adds nothing."""
    engine = start_engine(tmp_path)
    _send(
        engine,
        "CREATE TABLE t (token UInt32, a UInt32) ENGINE = MergeTree ORDER BY token "
        "SETTINGS non_replicated_deduplication_window = 1000",
    )
    for round_number in range(3):
        acknowledged = []
        for token in range(round_number * 100, round_number * 100 + 8):
            data = b"".join(b"%d,%d\n" % (token, n) for n in range(1000))
            sent = _send(
                engine, "INSERT INTO t FORMAT CSV", data, insert_deduplication_token=f"k{token}"
            )
            assert sent.status_code == 200
            acknowledged.append((token, data))
        engine.process.kill()
        engine = start_engine(tmp_path)
        for token, data in acknowledged:
            _send(engine, "INSERT INTO t FORMAT CSV", data, insert_deduplication_token=f"k{token}")
        counts = _send(engine, "SELECT count(), uniqExact(token, a) FROM t").text
        expected = (round_number + 1) * 8000
        assert counts == f"{expected}\t{expected}\n"
