"""What the collector counts, in Prometheus's terms."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

__all__ = ["Metrics"]

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """One registry per process, so that nothing else's metrics are mixed in."""

    def __init__(self) -> None:
        self.registry = registry = CollectorRegistry()

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"agentguard_{name}", text, labels, registry=registry)

        self.received = counter("received_requests", "Export requests received", "transport")
        self.received_bytes = counter("received_bytes", "Body bytes after decompression")
        self.accepted = counter("accepted_spans", "Spans made durable")
        self.duplicates = counter("duplicate_spans", "Spans that had been accepted before")
        self.refused = counter("refused_requests", "Requests refused as a whole", "reason")
        self.rejected = counter("rejected_spans", "Spans refused while others were kept")
        self.anomalies = counter("anomalous_spans", "Spans kept though their times are odd")
        self.flushed_spans = counter("flushed_spans", "Spans the store has confirmed")
        self.flush_failures = counter("flush_failures", "Inserts that failed and were retried")
        self.quarantined = counter("quarantined_records", "Damaged log records set aside")
        self.poisonous = counter("poisonous_records", "Records the store cannot read")
        self.flush_seconds = Histogram(
            "agentguard_flush_seconds",
            "From reading a segment to its confirmation",
            buckets=_SECONDS,
            registry=registry,
        )

    def gauge(self, name: str, text: str, read: Callable[[], float]) -> None:
        """Publish a value that is read when asked for."""
        Gauge(f"agentguard_{name}", text, registry=self.registry).set_function(read)

    def render(self) -> bytes:
        """Return the text exposition format."""
        return generate_latest(self.registry)
