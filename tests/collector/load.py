"""Sends batches all the time and remembers which of them were acknowledged."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, field

import httpx2

from tests.collector.otlp_samples import identity, make_request, make_span

# Without a rest after each batch, making spans takes the processor from what is tested.
_REST_S = 0.02


@dataclass
class Load:
    """`send` posts a serialised batch and returns the status; it may raise httpx2.HTTPError.

    Each batch is sent until it is acknowledged, as an exporter does.
    """

    send: Callable[[bytes], int]
    spans_per_batch: int = 20
    acknowledged: set[str] = field(default_factory=set)
    statuses: set[int] = field(default_factory=set)
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self, threads: int = 3) -> None:
        """Begin to send."""
        self._threads = [threading.Thread(target=self._run) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    def finish(self) -> None:
        """Stop making new batches; those begun are sent to their end."""
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            spans = [make_span() for _ in range(self.spans_per_batch)]
            body = make_request(*spans).SerializeToString()
            while not self._accepted(body):
                self._stop.wait(0.02)
            self.acknowledged.update(map(identity, spans))
            self._stop.wait(_REST_S)

    def _accepted(self, body: bytes) -> bool:
        try:
            status = self.send(body)
        except httpx2.HTTPError:
            return False
        self.statuses.add(status)
        return status == 200
