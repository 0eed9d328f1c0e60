"""A TCP proxy before the real store that is slow, or breaks connections half-way, on command."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class FaultyProxy:
    """`down` refuses connections, `cut_requests_at` and `cut_responses_at` break a connection
    after that many bytes in that direction, `delay` seconds pass before each response chunk."""

    def __init__(self, upstream_port: int) -> None:
        self.down = False
        self.cut_requests_at: int | None = None
        self.cut_responses_at: int | None = None
        self.delay = 0.0
        self.broken = 0
        self._upstream = ("127.0.0.1", upstream_port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._sockets: list[socket.socket] = [self._listener]

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._listener.getsockname()[1])

    def accept(self) -> None:
        """Serve connections until the listener is closed."""
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                if self.down:
                    client.close()
                    continue
                server = socket.create_connection(self._upstream)
                self._sockets += [client, server]
                for source, target, is_request in ((client, server, True), (server, client, False)):
                    threading.Thread(
                        target=self._pump, args=(source, target, is_request), daemon=True
                    ).start()

    def close(self) -> None:
        """End every connection."""
        for one in self._sockets:
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _pump(self, source: socket.socket, target: socket.socket, is_request: bool) -> None:
        passed = 0
        with suppress(OSError):
            while data := source.recv(65536):
                limit = self.cut_requests_at if is_request else self.cut_responses_at
                if self.down or (limit is not None and passed + len(data) > limit):
                    target.sendall(data[: max(0, (limit or 0) - passed)])
                    self.broken += 1
                    break
                if not is_request:
                    time.sleep(self.delay)
                target.sendall(data)
                passed += len(data)
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)


@contextmanager
def faulty_proxy(upstream_port: int) -> Iterator[FaultyProxy]:
    """Run a proxy before a local port."""
    proxy = FaultyProxy(upstream_port)
    thread = threading.Thread(target=proxy.accept, daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        proxy.close()
        thread.join(5)
