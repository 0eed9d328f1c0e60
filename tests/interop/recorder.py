"""A recording OTLP receiver: keeps raw request bodies, so that sender scripts can be checked."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import grpc
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from tests.interop.canonical import decode_request

EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_RESPONSES = {"application/json": b"{}", "application/x-protobuf": b""}


@dataclass
class Recorder:
    """Where spans can be sent, and read back from."""

    otlp_http: str = ""
    otlp_grpc: str = ""
    api_key: str = "agk_recorder"
    bodies: list[tuple[bytes, str, str]] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)

    def read_back(self, service: str) -> list[ResourceSpans]:
        """What was received for that service."""
        return [rs for rs in self.read_all() if _service(rs) == service]

    def read_all(self) -> list[ResourceSpans]:
        """What was received, of whatever service."""
        return [rs for body in list(self.bodies) for rs in decode_request(*body)]


def _service(spans: ResourceSpans) -> str:
    named = (a.value.string_value for a in spans.resource.attributes if a.key == "service.name")
    return next(named, "")


@contextmanager
def recording() -> Iterator[Recorder]:
    """Receives OTLP over HTTP and gRPC on free loopback ports."""
    recorder = Recorder()
    handler = type("BoundHandler", (_HttpHandler,), {"recorder": recorder})
    http = _HttpServer(("127.0.0.1", 0), handler)
    recorder.otlp_http = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    server = grpc.server(ThreadPoolExecutor(4))
    server.add_generic_rpc_handlers((_GrpcHandler(recorder),))
    recorder.otlp_grpc = f"127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield recorder
    finally:
        server.stop(grace=None).wait()
        http.shutdown()
        http.server_close()
        thread.join()


class _HttpServer(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """An exporter that exits closes its connection without further ado."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _HttpHandler(BaseHTTPRequestHandler):
    recorder: Recorder
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        length = self.headers.get("content-length")
        body = self.rfile.read(int(length)) if length else self._chunked()
        content_type = self.headers["content-type"]
        self.recorder.keys.add(self.headers.get("authorization", ""))
        self.recorder.bodies.append((body, content_type, self.headers.get("content-encoding", "")))
        answer = _RESPONSES[content_type]
        self.send_response(200)
        self.send_header("content-type", content_type)
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        """Stays silent."""

    def _chunked(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body


class _GrpcHandler(grpc.GenericRpcHandler):
    def __init__(self, recorder: Recorder) -> None:
        self._recorder = recorder

    def service(self, details):
        if details.method != EXPORT:
            return None
        # No deserializer: what is kept is the message as it was on the wire.
        return grpc.unary_unary_rpc_method_handler(self._export)

    def _export(self, body, context):
        metadata = dict(context.invocation_metadata())
        self._recorder.keys.add(metadata.get("authorization", ""))
        self._recorder.bodies.append((body, "application/x-protobuf", ""))
        return b""
