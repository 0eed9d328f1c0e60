"""An HTTP proxy that makes senders repeat themselves, whole bodies at a time."""

from __future__ import annotations

import http.client
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

_PASSED_ON = ("Authorization", "Content-Type", "Content-Encoding", "Idempotency-Key")
# What becomes of the first copies of bodies, in turn.
_FATES = ("refused", *["passed on"] * 3, "answer lost", *["passed on"] * 3, "sent twice")


class RepeatingProxy:
    """Refuses some bodies with 503, loses the answer to others, and delivers others twice.

    `fates` counts them; `bodies` holds, by `Idempotency-Key`, every copy that came.
    """

    def __init__(self, upstream_port: int) -> None:
        self.fates: Counter[str] = Counter()
        self.bodies: dict[str, list[bytes]] = {}
        self.statuses: Counter[int] = Counter()
        self._port = upstream_port
        self._lock = threading.Lock()

    def take(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        """Deliver a body, or not; returns the status and body that the sender is told."""
        key = headers["Idempotency-Key"]
        with self._lock:
            copies = self.bodies.setdefault(key, [])
            copies.append(body)
            again = len(copies) > 1
            fate = "passed on" if again else _FATES[len(self.bodies) % len(_FATES)]
            self.fates[fate] += 1
        if fate == "refused":
            return 503, b""
        answer = self._deliver(path, headers, body)
        if fate == "answer lost":
            return 503, b""
        return self._deliver(path, headers, body) if fate == "sent twice" else answer

    def _deliver(self, path: str, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        upstream = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        upstream.request("POST", path, body, headers)
        with upstream.getresponse() as response:
            answer = response.status, response.read()
        upstream.close()
        with self._lock:
            self.statuses[answer[0]] += 1
        return answer


@contextmanager
def repeating_proxy(upstream_port: int) -> Iterator[tuple[RepeatingProxy, str]]:
    """Run a proxy before a local port; yields it and its base URL."""
    proxy = RepeatingProxy(upstream_port)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            headers = {name: self.headers[name] for name in _PASSED_ON if name in self.headers}
            status, answer = proxy.take(self.path, headers, body)
            self.send_response(status)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *args: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield proxy, f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
