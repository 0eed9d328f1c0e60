"""Real parts to send spans to: an OTLP sink, a port nobody listens on, one that never answers."""

import gzip
import os
import socket
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import agentguard
from agentguard.runtime import Runtime, runtime


@dataclass
class Received:
    """One request the sink got."""

    path: str
    headers: dict[str, str]
    request: ExportTraceServiceRequest

    @property
    def spans(self) -> list[Span]:
        """The spans of the request."""
        return [
            span
            for resource in self.request.resource_spans
            for scope in resource.scope_spans
            for span in scope.spans
        ]


@dataclass
class Sink:
    """An OTLP/HTTP server that decodes and keeps what it gets, and answers as it is told."""

    url: str = ""
    requests: list[Received] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    body: bytes = b""
    attempts: int = 0

    @property
    def spans(self) -> list[Span]:
        """All spans accepted so far."""
        return [span for received in self.requests for span in received.spans]

    @property
    def names(self) -> list[str]:
        """The names of the spans accepted so far."""
        return [span.name for span in self.spans]

    def resource(self) -> dict[str, str]:
        """The string attributes of the first request's resource."""
        attributes = self.requests[0].request.resource_spans[0].resource.attributes
        return {pair.key: pair.value.string_value for pair in attributes}

    def reset(self) -> None:
        """Forget everything."""
        self.requests.clear()
        self.answers.clear()
        self.attempts = 0
        self.body = b""


def _handler(sink: Sink) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            sink.attempts += 1
            status, headers = sink.answers.pop(0) if sink.answers else (200, {})
            if status == 200:
                headers_in = {name.lower(): value for name, value in self.headers.items()}
                decode = {"gzip": gzip.decompress, "deflate": zlib.decompress}
                plain = decode.get(headers_in.get("content-encoding", ""), bytes)(body)
                decoded = ExportTraceServiceRequest.FromString(plain)
                sink.requests.append(Received(self.path, headers_in, decoded))
            self.send_response(status)
            for name, value in {"Content-Length": str(len(sink.body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(sink.body)

        def log_message(self, *_args: object) -> None:
            """Stay quiet."""

    return Handler


@pytest.fixture(scope="session")
def _sink_server() -> Iterator[Sink]:
    sink = Sink()
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(sink))
    server.daemon_threads = True
    sink.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield sink
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sink(_sink_server: Sink) -> Sink:
    """The OTLP sink, empty."""
    _sink_server.reset()
    return _sink_server


@pytest.fixture
def refusing() -> Iterator[str]:
    """A URL whose port is taken, so that nobody else listens there, and refuses connections."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"http://127.0.0.1:{taken.getsockname()[1]}"


@pytest.fixture
def black_hole() -> Iterator[str]:
    """A URL that takes connections and requests, and never answers."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(50)
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine reaches a test."""
    for name in os.environ:
        if name.startswith(("AGENTGUARD_", "OTEL_")):
            monkeypatch.delenv(name)


@pytest.fixture(autouse=True)
def _fresh_runtime() -> Iterator[None]:
    """Each test starts as a process does, before `init`."""
    yield
    fresh = Runtime()
    for name in Runtime.__slots__:
        setattr(runtime, name, getattr(fresh, name))


@dataclass
class Recorded:
    """A provider joined by `init`, and the spans it finished."""

    provider: TracerProvider
    memory: InMemorySpanExporter
    handle: agentguard.Handle

    @property
    def spans(self) -> list[ReadableSpan]:
        """The finished spans, in the order they ended."""
        return list(self.memory.get_finished_spans())

    @property
    def names(self) -> list[str]:
        """The names of the finished spans."""
        return [span.name for span in self.spans]

    def span(self, name: str) -> ReadableSpan:
        """The one span of that name."""
        (found,) = [span for span in self.spans if span.name == name]
        return found

    def attributes(self, name: str) -> dict[str, object]:
        """The attributes of the one span of that name."""
        return dict(self.span(name).attributes or {})

    def parent(self, name: str) -> str | None:
        """The name of the span's parent."""
        parent = self.span(name).parent
        by_id = {span.context.span_id: span.name for span in self.spans}
        return by_id.get(parent.span_id) if parent else None


@pytest.fixture
def record(sink: Sink) -> Iterator[Callable[..., Recorded]]:
    """Start recording: a provider of its own, joined by `init` with the given settings."""
    handles: list[agentguard.Handle] = []

    def start(**settings: object) -> Recorded:
        provider, memory = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
        provider.add_span_processor(SimpleSpanProcessor(memory))
        given = {"endpoint": sink.url, **settings}
        handle = agentguard.init(tracer_provider=provider, **given)  # type: ignore[arg-type]
        handles.append(handle)
        return Recorded(provider, memory, handle)

    yield start
    for handle in handles:
        handle.shutdown()


@pytest.fixture
def recorded(record: Callable[..., Recorded]) -> Recorded:
    """Recording, with the default settings."""
    return record()


@dataclass
class Finished:
    """A program that ran to its end."""

    returncode: int
    stdout: str
    stderr: str
    seconds: float


@pytest.fixture
def program(tmp_path) -> Callable[..., Finished]:
    """Run a Python program in a process of its own, with the given variables."""

    def run(code: str, **variables: str) -> Finished:
        environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("AGENTGUARD_", "OTEL_"))
        }
        start = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", code],
            capture_output=True,
            check=False,
            cwd=tmp_path,
            env={**environ, **variables},
            text=True,
            timeout=60,
        )
        return Finished(done.returncode, done.stdout, done.stderr, time.monotonic() - start)

    return run
