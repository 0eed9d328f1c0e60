"""Fills otel_traces as the OpenTelemetry Collector's ClickHouse exporter does.

rotel, a collector in Rust, writes the same table: https://github.com/streamfold/rotel. The table is
made with the exporter's own statement.
"""

from __future__ import annotations

import re
import socket
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import httpx2
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.collector.conftest import wait_until
from tests.conftest import Engine

_TABLE = Path(__file__).parents[1] / "bench" / "otel_traces.sql"
_PRICES = re.compile(r"\bagentguard\.(?=(?:provider|price)_rules)")
_PROTOBUF = {"content-type": "application/x-protobuf"}


def statements(sql: str, database: str, prices: str) -> list[str]:
    """The statements of a file, about these databases instead of `otel` and `agentguard`."""
    renamed = _PRICES.sub(f"{prices}.", re.sub(r"\botel\.(?=[a-z])", f"{database}.", sql))
    return [one for one in re.split(r";\s*\n", renamed) if one.strip()]


def table_statement(database: str) -> str:
    """The statement that the exporter makes its table with."""
    [statement] = statements(_TABLE.read_text(encoding="utf-8"), database, "")
    return statement


@contextmanager
def writer(engine: Engine, database: str, folder: Path) -> Iterator[str]:
    """Run a collector that writes `otel_traces` of that database; yields its address for OTLP."""
    http, grpc = _free_port(), _free_port()
    flags = {
        "otlp-http-endpoint": f"127.0.0.1:{http}",
        "otlp-grpc-endpoint": f"127.0.0.1:{grpc}",
        "exporter": "clickhouse",
        "clickhouse-exporter-endpoint": engine.url,
        "clickhouse-exporter-database": database,
        "clickhouse-exporter-user": "writer",
        "clickhouse-exporter-password": engine.credentials.writer,
        "clickhouse-exporter-compression": "none",
        "clickhouse-exporter-async-insert": "false",
        "pid-file": str(folder / "rotel.pid"),
    }
    command = [str(files("rotel") / "rotel-agent"), "start"]
    command += [f"--{name}={value}" for name, value in flags.items()]
    with (
        (folder / "rotel.log").open("wb") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as process,
    ):
        try:
            wait_until(lambda: _listening(http), 30)
            yield f"http://127.0.0.1:{http}"
        finally:
            process.terminate()


def send(address: str, requests: Iterable[ExportTraceServiceRequest]) -> None:
    """Send export requests; each must be accepted."""
    with httpx2.Client(trust_env=False) as client:
        for request in requests:
            body = request.SerializeToString()
            client.post(f"{address}/v1/traces", content=body, headers=_PROTOBUF).raise_for_status()


def _listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
