"""The two that are compared: AgentGuard as `agentguard up` starts it, and rotel, a Rust collector.

Both write to the embedded ClickHouse, each to one of its own.
"""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import clickhouse_connect
import psutil

from agentguard.cli.launch import launched
from agentguard_storage.embedded.credentials import FILE_NAME, Credentials
from tests.bench.meter import wait_for

OUR_TABLES = ("spans", "blobs", "traces", "usage_hourly")


@dataclass(frozen=True, slots=True)
class Stack:
    """A running collector with its engine."""

    name: str
    port: int
    database: str
    span_table: str
    tables: tuple[str, ...]
    """All that holds what was sent; a name ending in `*` stands for all that begin with it."""
    client: Any
    processes: list[psutil.Process]
    connect: Callable[[str], Any]
    """To another database of the same engine."""
    headers: dict[str, str] = field(default_factory=dict)

    def count(self) -> int:
        """How many spans can be queried."""
        return int(self.client.query(f"SELECT count() FROM {self.span_table}").first_row[0])  # noqa: S608

    def disk_bytes(self) -> dict[str, int]:
        """Bytes on disk of each table's active parts: columns, indexes and marks."""
        rows = self.client.query(
            "SELECT table, sum(bytes_on_disk) FROM system.parts "
            "WHERE active AND database = {database:String} GROUP BY table",
            parameters={"database": self.database},
        ).result_rows
        return {str(table): int(size) for table, size in rows}

    def optimize(self, *databases: str) -> None:
        """Merge every table to one part for each partition, as time would."""
        for database, table in self.client.query(
            "SELECT database, name FROM system.tables WHERE database IN {databases:Array(String)} "
            "AND engine LIKE '%MergeTree'",
            parameters={"databases": list(databases) or [self.database]},
        ).result_rows:
            self.client.command(f"OPTIMIZE TABLE {database}.{table} FINAL")


@contextmanager
def agentguard_stack(directory: Path) -> Iterator[Stack]:
    """Run `agentguard up` with nothing but its defaults."""
    directory.mkdir()
    with launched(directory) as endpoints:
        credentials = Credentials.load(directory / "clickhouse" / FILE_NAME)
        url = urlsplit(endpoints.clickhouse)
        connect = partial(_client, credentials.writer, int(url.port or 0))
        client = connect("agentguard")
        yield Stack(
            "agentguard",
            int(urlsplit(endpoints.otlp_http).port or 0),
            "agentguard",
            "agentguard.spans",
            OUR_TABLES,
            client,
            _processes_of(directory),
            connect,
            {"Authorization": f"Bearer {endpoints.api_key}"},
        )
        client.close()


@contextmanager
def rotel_stack(directory: Path) -> Iterator[Stack]:
    """Run rotel and an engine for it, with rotel's defaults but for compression, which is off.

    Both sides then hand the engine plain bytes. Neither larger batches nor synchronous inserts made
    rotel cheaper.
    """
    directory.mkdir()
    with ExitStack() as stack:
        engine_port, credentials = stack.enter_context(_engine(directory))
        client = _client(credentials.writer, engine_port, "default")
        client.command("CREATE DATABASE otel")
        client.command((Path(__file__).parent / "otel_traces.sql").read_text())
        http, grpc = _free_port(), _free_port()
        flags = {
            "otlp-http-endpoint": f"127.0.0.1:{http}",
            "otlp-grpc-endpoint": f"127.0.0.1:{grpc}",
            "exporter": "clickhouse",
            "clickhouse-exporter-endpoint": f"http://127.0.0.1:{engine_port}",
            "clickhouse-exporter-database": "otel",
            "clickhouse-exporter-user": "writer",
            "clickhouse-exporter-password": credentials.writer,
            "clickhouse-exporter-compression": "none",
            "pid-file": str(directory / "rotel.pid"),
        }
        command = [str(files("rotel") / "rotel-agent"), "start"]
        command += [f"--{name}={value}" for name, value in flags.items()]
        log = stack.enter_context((directory / "rotel.log").open("wb"))
        process = stack.enter_context(_running(command, stdout=log, stderr=log))
        wait_for(lambda: _listening(http), "rotel listening", 20)
        assert process.poll() is None, (directory / "rotel.log").read_text()
        yield Stack(
            "rotel",
            http,
            "otel",
            "otel.otel_traces",
            ("otel_traces",),
            client,
            _processes_of(directory),
            partial(_client, credentials.writer, engine_port),
        )
        client.close()


@contextmanager
def _engine(directory: Path) -> Iterator[tuple[int, Credentials]]:
    command = [sys.executable, "-m", "agentguard_storage.embedded", "--port=0"]
    command += [f"--data-dir={directory / 'clickhouse'}", "--exit-with-parent"]
    with (directory / "engine.log").open("wb") as log:
        streams = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": log}
        with _running(command, **streams) as process:
            ready = json.loads(process.stdout.readline())
            yield ready["port"], Credentials.load(Path(ready["credentials"]))


@contextmanager
def _running(command: list[str], **streams: Any) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(command, **streams) as process:
        try:
            yield process
        finally:
            process.terminate()
            try:
                process.wait(15)
            except subprocess.TimeoutExpired:
                process.kill()


def _client(password: str, port: int, database: str) -> Any:
    return clickhouse_connect.get_client(
        host="127.0.0.1",
        port=port,
        username="writer",
        password=password,
        database=database,
        autogenerate_session_id=False,
    )


def _processes_of(directory: Path) -> list[psutil.Process]:
    """Our descendants whose command line names the directory, and theirs."""
    named = [
        process
        for process in psutil.Process().children(recursive=True)
        if any(str(directory) in argument for argument in process.cmdline())
    ]
    whole = {p for process in named for p in (process, *process.children(recursive=True))}
    return sorted(whole, key=lambda process: process.pid)


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
