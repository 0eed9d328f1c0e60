"""`agentguard up` as a user runs it: one line, one Ctrl-C, and restarts that lose nothing."""

import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import psutil
import pytest

from agentguard.cli.parts import Options
from tests.plain_http import NO_TLS
from tests.stack import (
    ANY_PORTS,
    COMMAND,
    RunningStack,
    clean_environment,
    launch_stack,
    run_cli,
)

BOUND = 60.0


def until(condition: Callable[[], object], bound: float = BOUND) -> None:
    """Wait until `condition()` is true, at most `bound` seconds."""
    deadline = time.monotonic() + bound
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.05)


def family(pid: int) -> list[psutil.Process]:
    """All processes below this one."""
    return psutil.Process(pid).children(recursive=True)


def gone(processes: list[psutil.Process]) -> bool:
    """Whether none of them runs any more: those that end with their parent are given a moment."""
    psutil.wait_procs(processes, timeout=5)
    return not any(one.is_running() and one.status() != "zombie" for one in processes)


def accepted(otlp_http: str, key: str) -> bool:
    """Whether the collector takes an (empty) export with that key."""
    headers = {"authorization": f"Bearer {key}", "content-type": "application/x-protobuf"}
    try:
        url = f"{otlp_http}/v1/traces"
        return httpx2.post(url, content=b"", headers=headers, timeout=5, verify=NO_TLS).is_success
    except httpx2.HTTPError:
        return False


@pytest.fixture(scope="module")
def used(tmp_path_factory) -> Path:
    """A data directory for all tests that a first start, which makes everything, is not about."""
    return tmp_path_factory.mktemp("used") / "data"


@dataclass
class Mortal:
    """An `agentguard up` on one directory, for tests that kill it or parts of it."""

    data_dir: Path
    current: RunningStack | None = None

    def running(self) -> RunningStack:
        """What the test before left running, or else a new start."""
        if self.current is None or self.current.process.popen.poll() is not None:
            self.start()
        assert self.current is not None
        return self.current

    def start(self, *flags: str) -> RunningStack:
        """Start it, after it was killed."""
        self.current = launch_stack(self.data_dir, *flags)
        return self.current


@pytest.fixture(scope="module")
def mortal(used: Path) -> Iterator[Mortal]:
    """One for all kills: a start takes longer than what is looked at after it."""
    one = Mortal(used)
    yield one
    if one.current is not None:
        one.current.process.stop(60)


@pytest.fixture
def popen() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start `agentguard up` with flags and nothing read from it yet."""
    started: list[subprocess.Popen[str]] = []

    def begin(*flags: str) -> subprocess.Popen[str]:
        started.append(
            subprocess.Popen(
                [*COMMAND, "up", *ANY_PORTS, *flags],
                env=clean_environment({"COLUMNS": "200"}),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        return started[-1]

    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_one_json_line_with_everything_needed(stack):
    """The ready line names working endpoints, and its key and reader DSN are good."""
    import clickhouse_connect

    assert {"otlp_http", "otlp_grpc", "api", "clickhouse", "api_key", "data_dir", "pids"} == set(
        stack.ready
    )
    assert accepted(stack.otlp_http, stack.api_key)
    client = clickhouse_connect.get_client(dsn=stack.clickhouse)
    assert client.command("SELECT currentDatabase()") == "agentguard"
    client.close()
    host, _, port = stack.otlp_grpc.removeprefix("http://").rpartition(":")
    socket.create_connection((host, int(port)), timeout=5).close()


def test_secrets_on_disk_are_for_the_owner_alone(stack):
    """Nobody else may read the directory or the files that hold keys and passwords."""
    for name in ("", "endpoints.json", "secret.key", "control.db"):
        mode = stat.S_IMODE((stack.data_dir / name).stat().st_mode)
        assert mode & 0o077 == 0, name


def test_sigterm_ends_everything(popen, used):
    """After one SIGTERM nothing runs, workers included, the exit code is 0, stdout had one line."""
    process = popen("--print-json", f"--data-dir={used}", "--workers=2")
    ready = json.loads(process.stdout.readline())
    assert accepted(ready["otlp_http"], ready["api_key"])
    children = family(process.pid)
    assert len(children) >= 4
    process.send_signal(signal.SIGTERM)
    rest, log = process.communicate(timeout=BOUND)
    assert process.returncode == 0, log
    assert rest == ""
    assert gone(children)
    assert "Traceback" not in log


def test_killed_children_come_back_on_their_ports(mortal):
    """A killed engine or collector is started again where it was; `endpoints.json` follows."""
    running = mortal.running()
    before = running.ready["pids"]
    for pid in before.values():
        os.kill(pid, signal.SIGKILL)

    def pids() -> dict[str, int]:
        return json.loads((running.data_dir / "endpoints.json").read_text())["pids"]

    until(lambda: not set(pids().values()) & set(before.values()))
    until(lambda: accepted(running.otlp_http, running.api_key))
    until(lambda: running.cli("traces").returncode == 0)


def test_killed_supervisor_leaves_nothing(mortal):
    """After `kill -9` of the supervisor all children end, and the same ports serve again."""
    running = mortal.running()
    children = family(running.process.pid)
    ports = [running.ready[name].rpartition(":")[2] for name in ("otlp_http", "otlp_grpc")]
    ports.append(running.clickhouse.rpartition(":")[2].partition("/")[0])
    names = ("--otlp-http-port", "--otlp-grpc-port", "--clickhouse-port")
    running.process.kill()
    again = mortal.start(*(f"{name}={port}" for name, port in zip(names, ports, strict=True)))
    assert gone(children)
    assert again.otlp_http == running.otlp_http
    assert accepted(again.otlp_http, again.api_key)


def test_restart_after_everything_was_killed(mortal):
    """The same directory starts again after `kill -9` of all, and its key is still good."""
    first = mortal.running()
    everything = [*family(first.process.pid), psutil.Process(first.process.pid)]
    for process in everything:
        process.kill()
    # Only its parent can take a dead supervisor from the process table.
    first.process.kill()
    psutil.wait_procs(everything, timeout=10)
    second = mortal.start()
    assert second.api_key == first.api_key
    assert accepted(second.otlp_http, second.api_key)


def test_second_ctrl_c_forces(mortal):
    """A child that hangs does not keep a user who presses Ctrl-C twice."""
    running = mortal.running()
    pids = running.ready["pids"]
    process = running.process.popen
    children = family(process.pid)
    os.kill(pids["engine"], signal.SIGSTOP)
    process.send_signal(signal.SIGINT)
    until(lambda: not psutil.pid_exists(pids["collectors"]))
    process.send_signal(signal.SIGINT)
    assert process.wait(10) == 130
    until(lambda: gone(children))


def test_two_on_one_directory(stack):
    """A second `up` on a directory is refused with the first one's pid."""
    second = run_cli("up", f"--data-dir={stack.data_dir}", *ANY_PORTS)
    assert second.returncode == 2
    assert str(stack.data_dir) in second.stderr
    assert str(stack.process.pid) in second.stderr
    assert "Traceback" not in second.stderr


@pytest.mark.parametrize("flag", ["--otlp-http-port", "--otlp-grpc-port", "--clickhouse-port"])
def test_taken_port_is_named_with_its_flag(tmp_path, flag):
    """A port that something else listens on is told before anything is started."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = run_cli("up", f"--data-dir={tmp_path / 'data'}", *ANY_PORTS, f"{flag}={port}")
    assert result.returncode == 2
    assert f"port {port} is taken" in result.stderr
    assert flag in result.stderr
    assert not (tmp_path / "data" / "clickhouse").exists()


def test_people_see_endpoints_and_the_key_once(popen, tmp_path):
    """The panel shows a new key at the first start and never again; one Ctrl-C ends everything."""
    shown = []
    for _ in range(2):
        process = popen(f"--data-dir={tmp_path / 'data'}")
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "Ctrl-C ends it" in line:
                break
        children = family(process.pid)
        assert len(children) >= 2
        process.send_signal(signal.SIGINT)
        rest, log = process.communicate(timeout=BOUND)
        assert process.returncode == 0, log
        assert gone(children)
        assert "Traceback" not in rest + log
        shown.append("".join(lines))
    key = json.loads((tmp_path / "data" / "endpoints.json").read_text())["api_key"]
    assert key in shown[0]
    assert key not in shown[1]
    assert "agentguard keys create" in shown[1]
    for panel in shown:
        assert "OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:" in panel
        assert "agentguard traces" in panel


def test_clickhouse_elsewhere(engine, start_stack, tmp_path):
    """With `--clickhouse URL` no engine is started, and the server there is made ready."""
    url = engine.writer_dsn.rpartition("/")[0] + "/cli_elsewhere"
    running = start_stack(tmp_path / "data", f"--clickhouse={url}")
    assert set(running.ready["pids"]) == {"collectors"}
    assert running.clickhouse == url
    assert running.cli("traces").returncode == 0


def test_database_has_a_name_where_the_url_has_none(tmp_path):
    """Every part gets the same database from a URL that leaves it out."""
    options = Options(tmp_path, clickhouse="clickhouse://u:p@host:8443?secure=1")
    assert options.clickhouse == "clickhouse://u:p@host:8443/agentguard?secure=1"


def test_unusable_directory_is_told(tmp_path):
    """A data directory that cannot be made is one clear line."""
    blocked = Path(tmp_path / "file")
    blocked.write_text("")
    result = run_cli("up", f"--data-dir={blocked / 'data'}", *ANY_PORTS)
    assert result.returncode == 1
    assert str(blocked) in result.stderr
    assert "--data-dir" in result.stderr
    assert "Traceback" not in result.stderr
