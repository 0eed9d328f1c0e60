"""An HTTP server in the place of the store that keeps each INSERT and can refuse on command."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentguard_collector.envelope import decode, read_varint
from tests.collector.otlp_samples import identity, spans_in

Answer = tuple[int, str]


class RecordingStore:
    """Keeps one body per token, as the store's own deduplication does.

    `refuse(token, body)` may return a status and text to answer instead; `unsure` then drops the
    connection after the data has been taken.
    """

    def __init__(self) -> None:
        self.inserts: dict[str, bytes] = {}
        self.attempts: Counter[str] = Counter()
        self.changed: list[str] = []
        self.refuse: Callable[[str, bytes], Answer | None] = lambda token, body: None
        self.unsure: Callable[[str], bool] = lambda token: False
        self._lock = threading.Lock()

    def take(self, token: str, body: bytes) -> Answer:
        """Answer one INSERT, and keep it if it is not refused."""
        with self._lock:
            self.attempts[token] += 1
            refusal = self.refuse(token, body)
            if refusal:
                return refusal
            if self.inserts.setdefault(token, body) != body:
                self.changed.append(token)
            return 200, ""

    def records(self) -> list[bytes]:
        """Every record that was inserted, without its length prefix."""
        found = []
        for body in list(self.inserts.values()):
            at = 0
            while at < len(body):
                size, at = read_varint(body, at)
                found.append(body[at : at + size])
                at += size
        return found

    def span_counts(self) -> Counter[str]:
        """How many times each span was inserted."""
        counts: Counter[str] = Counter()
        for record in self.records():
            _, body = decode(record)
            counts.update(map(identity, spans_in(ExportTraceServiceRequest.FromString(body))))
        return counts


@contextmanager
def serve(store: RecordingStore) -> Iterator[str]:
    """Run the store; yield its DSN."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self._answer(200, "Ok.\n")

        def do_POST(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            if "insert_deduplication_token" not in query:
                self._answer(400, "it takes INSERTs only\n")
                return
            token = query["insert_deduplication_token"][0]
            status, text = store.take(token, body)
            if status == 200 and store.unsure(token):
                self.close_connection = True
                return
            self._answer(status, text)

        def _answer(self, status: int, text: str) -> None:
            data = text.encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"clickhouse://writer:secret@127.0.0.1:{server.server_port}/agentguard"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
