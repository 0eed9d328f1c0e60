"""Fixtures of the collector's tests: a running collector, keys for it, and a store to look into."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import grpc
import httpx2
import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentguard_storage.control import ControlPlane, default_url, open_control_plane
from tests.collector.recording_store import RecordingStore, serve
from tests.plain_http import NO_TLS
from tests.processes import ReadyProcess, start_forked

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
PROTOBUF = "application/x-protobuf"


def pytest_configure(config: pytest.Config) -> None:
    """Register the mark that names requirements."""
    config.addinivalue_line("markers", "otlp(id): proves a requirement of the OTLP specification")


def wait_until(condition: Callable[[], object], seconds: float = 15) -> None:
    """Wait for a condition to come true, for a bounded time."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"still not so after {seconds} s: {condition}"
        time.sleep(0.01)


@dataclass
class Collector:
    """A running collector and a client of it."""

    process: ReadyProcess
    key: str
    client: httpx2.Client = field(
        default_factory=lambda: httpx2.Client(timeout=30, trust_env=False, verify=NO_TLS)
    )

    @property
    def url(self) -> str:
        """Where it listens for HTTP."""
        return f"http://127.0.0.1:{self.process.ready['http_port']}"

    def post(
        self, body: ExportTraceServiceRequest | bytes, kind: str = PROTOBUF, **headers: str
    ) -> httpx2.Response:
        """Send one export request; `headers` are added, underscores read as dashes."""
        data = body if isinstance(body, bytes) else body.SerializeToString()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.post(
            f"{self.url}/v1/traces",
            content=data,
            headers={"Content-Type": kind, "Authorization": f"Bearer {self.key}", **given},
        )

    def call(
        self,
        body: ExportTraceServiceRequest | bytes,
        *,
        key: str | None = None,
        compression: grpc.Compression = grpc.Compression.NoCompression,
    ) -> bytes:
        """Export over gRPC; returns the response's bytes."""
        data = body if isinstance(body, bytes) else body.SerializeToString()
        key = self.key if key is None else key
        metadata = (("authorization", f"Bearer {key}"),) if key else ()
        address = f"127.0.0.1:{self.process.ready['grpc_port']}"
        options = [("grpc.max_send_message_length", -1)]
        with grpc.insecure_channel(address, options=options) as channel:
            method = channel.unary_unary(EXPORT)
            answer: bytes = method(data, metadata=metadata, compression=compression, timeout=30)
            return answer

    def metric(self, name: str) -> float:
        """Read one value from /metrics; `name` includes its labels."""
        text = self.client.get(f"{self.url}/metrics").text
        for line in text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.rpartition(" ")[2])
        return 0.0


@dataclass
class Home:
    """A data directory with a control plane in it, and a key to send with."""

    path: Path
    control: ControlPlane
    project_id: str
    key: str

    def mint(self, *scopes: str, **more: object) -> tuple[str, str]:
        """Make another key; returns its id and text."""
        record, text = self.control.keys.mint(self.project_id, scopes, **more)
        return record.key_id, text

    def start(self, dsn: str, *arguments: str, timeout: float = 60) -> Collector:
        """Start a collector here."""
        process = start_forked(
            "agentguard_collector",
            *("--data-dir", self.path),
            *("--clickhouse", dsn),
            *("--control", default_url(self.path)),
            *("--http-port", "0", "--grpc-port", "0", "--exit-with-parent"),
            *arguments,
            timeout=timeout,
        )
        return Collector(process, self.key)


def make_home(path: Path) -> Home:
    """Create a data directory with the default project and an ingest key."""
    control = open_control_plane(path)
    project = control.projects.ensure_default()
    _, key = control.keys.mint(project.id, ["ingest"])
    return Home(path, control, project.id, key)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A data directory of the test's own."""
    made = make_home(tmp_path / "data")
    yield made
    made.control.close()


@pytest.fixture
def store() -> RecordingStore:
    """A store of the test's own; `dsn` serves it."""
    return RecordingStore()


@pytest.fixture
def dsn(store: RecordingStore) -> Iterator[str]:
    """The address of the test's own store."""
    with serve(store) as address:
        yield address


@pytest.fixture
def launch(home: Home, dsn: str) -> Iterator[Callable[..., Collector]]:
    """Start collectors on the test's data directory and store; they are ended with the test."""
    started: list[Collector] = []

    def begin(*arguments: str, at: str = dsn) -> Collector:
        started.append(home.start(at, *arguments))
        return started[-1]

    yield begin
    for collector in started:
        collector.client.close()
        collector.process.kill()


@dataclass
class Shared:
    """One collector for all tests that leave it as it was."""

    collector: Collector
    home: Home
    store: RecordingStore


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shared]:
    """One running collector with a body limit of 4 MiB."""
    home = make_home(tmp_path_factory.mktemp("collector") / "data")
    store = RecordingStore()
    with serve(store) as address:
        collector = home.start(address, "--max-body-bytes", str(4 << 20))
        yield Shared(collector, home, store)
        collector.client.close()
        collector.process.stop()
    home.control.close()
