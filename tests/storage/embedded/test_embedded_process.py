"""The process around the engine: one per directory, ends when told, survives being killed."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import httpx2
import pytest

from tests.conftest import Engine
from tests.plain_http import NO_TLS
from tests.processes import StartError
from tests.sdk.waiting import wait_until

Start = Callable[..., Engine]

# No reader of that line is as quick as this one.
ENDED_WHEN_READY = """
import os, runpy, signal, sys

class Reader:
    def write(self, line):
        os.kill(os.getpid(), signal.SIGTERM)

    def flush(self):
        pass

sys.stdout = Reader()
runpy.run_module("agentguard_storage.embedded", run_name="__main__")
"""


def _has_its_loop(process: int) -> bool:
    """Whether its event loop is open: the engine, which closes after it, has no such file."""
    opened = []
    with suppress(OSError):
        for each in Path(f"/proc/{process}/fd").iterdir():
            with suppress(OSError):
                opened.append(str(each.readlink()))
    return any("eventpoll" in each for each in opened)


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


def test_it_ends_cleanly_as_soon_as_it_says_that_it_is_ready(tmp_path: Path):
    """A signal that comes with the line that tells the port ends it with code 0 too."""
    ended = subprocess.run(
        [sys.executable, "-c", ENDED_WHEN_READY, "--port=0", f"--data-dir={tmp_path}"],
        capture_output=True,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, b"")


def test_its_parent_may_leave_while_it_closes(start_engine: Start, tmp_path: Path):
    """A parent that ends it and goes away at once leaves no stack trace in the log."""
    engine = start_engine(tmp_path)
    os.kill(engine.process.pid, signal.SIGTERM)
    wait_until(lambda: not _has_its_loop(engine.process.pid))
    assert engine.process.popen.stdin is not None
    engine.process.popen.stdin.close()
    assert engine.process.popen.wait(30) == 0
    engine.process.stop()
    assert "Traceback" not in engine.process.stderr


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
