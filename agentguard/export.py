"""Sending finished spans without ever slowing or breaking the program that made them."""

import logging
import os
import queue
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field

from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from agentguard.config import Settings
from agentguard.redaction import Callback, Redactor, SpanRedactor
from agentguard.transport import Session

__all__ = ["ExportProcessor", "Stats"]

log = logging.getLogger("agentguard")

WARNING_INTERVAL = 60.0
"""Seconds between two warnings about spans that could not be sent."""

REQUEST_CHARACTERS = 4_000_000
"""About the most text sent in one request: collectors bound the size of a body."""

_COMPRESSIONS = {
    "gzip": Compression.Gzip,
    "deflate": Compression.Deflate,
    "none": Compression.NoCompression,
}
_ours: ContextVar[bool] = ContextVar("agentguard_exporting", default=False)


@dataclass(slots=True)
class Stats:
    """Counts of spans since `init`, or since the fork in a forked process.

    Every finished, sampled span is in exactly one of: exported, failed (sent and refused, or
    nobody answered), dropped (never sent: the queue was full or closed), waiting.
    """

    exported: int = 0
    failed: int = 0
    dropped: int = 0
    waiting: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock, repr=False, compare=False)

    def admit(self, limit: int) -> bool:
        """Count one span as waiting, or as dropped when `limit` spans wait already."""
        with self._lock:
            if self.waiting >= limit:
                self.dropped += 1
                return False
            self.waiting += 1
            return True

    def settle(self, count: int, exported: int) -> None:
        """Move `count` spans from waiting to exported, and the rest of them to failed."""
        with self._lock:
            self.waiting -= count
            self.exported += exported
            self.failed += count - exported

    def abandon(self) -> None:
        """Count what waits as failed."""
        with self._lock:
            self.failed += self.waiting
            self.waiting = 0

    def reset(self) -> None:
        """Start from zero, with a lock nobody holds: for a process that was just forked."""
        self._lock = threading.Lock()
        self.exported = self.failed = self.dropped = self.waiting = 0

    @property
    def lost(self) -> int:
        """Spans that will never arrive."""
        return self.failed + self.dropped


class Exporter(SpanExporter):
    """OTLP over HTTP, counted, with at most one warning a minute and never an exception."""

    def __init__(
        self, settings: Settings, stats: Stats, redact_with: Callback | None = None
    ) -> None:
        self.session = Session(settings.api_key, dict(settings.headers))
        self._otlp = OTLPSpanExporter(
            endpoint=settings.endpoint,
            headers=dict(settings.headers),
            timeout=settings.export_timeout,
            compression=_COMPRESSIONS[settings.compression],
            session=self.session,
        )
        self._redactor = SpanRedactor(
            Redactor(settings.redact, settings.redact_patterns, redact_with)
        )
        self._endpoint = settings.endpoint
        self._stats = stats
        self._warned_at = float("-inf")
        self._reported = 0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send the spans, in as many requests as their size asks for."""
        cleaned = self._redactor.spans(spans)
        delivered = sum(self._deliver(part) for part in _parts(cleaned))
        if not self.session.closing:
            self.warn()
        return SpanExportResult.SUCCESS if delivered == len(spans) else SpanExportResult.FAILURE

    def _deliver(self, spans: Sequence[ReadableSpan]) -> int:
        """Send the spans and count them; how many of them were taken."""
        attempts = self.session.attempts
        sent = self._send(spans)
        if not sent and self.session.attempts == attempts:
            # No request was made: a span cannot be encoded. The others must not go with it.
            if len(spans) > 1:
                middle = len(spans) // 2
                return self._deliver(spans[:middle]) + self._deliver(spans[middle:])
            self.session.problem = f"the span {spans[0].name!r} cannot be encoded"
        taken = max(len(spans) - self.session.rejected, 0) if sent else 0
        self._stats.settle(len(spans), taken)
        return taken

    def _send(self, spans: Sequence[ReadableSpan]) -> bool:
        token = _ours.set(True)
        try:
            return self._otlp.export(spans) is SpanExportResult.SUCCESS
        except Exception as error:  # noqa: BLE001 - the boundary between telemetry and the agent
            self.session.problem = self.session.problem or type(error).__name__
            return False
        finally:
            _ours.reset(token)

    def warn(self, reason: str | None = None) -> None:
        """Tell about spans lost since the last warning, unless that was a moment ago."""
        lost, now = self._stats.lost, time.monotonic()
        if lost <= self._reported or now - self._warned_at < WARNING_INTERVAL:
            return
        self._warned_at = now
        log.warning(
            "%d spans were not delivered to %s (%s). The program is not affected; "
            "`agentguard doctor` tells what to do.",
            lost - self._reported,
            self._endpoint,
            reason or self.session.problem or "the queue was full",
        )
        self._reported = lost

    def shutdown(self) -> None:
        """Close the connections."""
        self._otlp.shutdown()  # type: ignore[no-untyped-call]


def _parts(spans: Sequence[ReadableSpan]) -> Iterator[Sequence[ReadableSpan]]:
    """The spans in order, cut where the text of a part would pass REQUEST_CHARACTERS."""
    start = size = 0
    for index, span in enumerate(spans):
        own = sum(len(v) for v in (span.attributes or {}).values() if isinstance(v, str))
        if size + own > REQUEST_CHARACTERS and index > start:
            yield spans[start:index]
            start, size = index, 0
        size += own
    yield spans[start:]


class ExportProcessor(BatchSpanProcessor):
    """OpenTelemetry's batch processor, with bounds that hold.

    Its own `force_flush` and `shutdown` wait for the exporter, up to 30 s, whatever timeout
    they are given. Here both run on a thread that is waited for at most the timeout; the
    thread exists from the start since none can be started while the interpreter leaves.
    """

    def __init__(self, settings: Settings, redact_with: Callback | None = None) -> None:
        self.stats = Stats()
        self._sender = Exporter(settings, self.stats, redact_with)
        self._limit = settings.queue_size
        self._timeout = settings.flush_timeout
        self._closed = False
        _quieten_exporters()
        super().__init__(
            self._sender,
            max_queue_size=settings.queue_size,
            schedule_delay_millis=settings.schedule_delay * 1000,
            max_export_batch_size=settings.batch_size,
        )
        self._start_helper()
        reborn = weakref.WeakMethod(self._after_fork)
        os.register_at_fork(after_in_child=lambda: (method := reborn()) and method())

    def on_end(self, span: ReadableSpan) -> None:
        """Queue the span, or count it as dropped; never wait."""
        if not span.context.trace_flags.sampled:
            return
        if self.stats.admit(0 if self._closed else self._limit):
            super().on_end(span)

    def force_flush(self, timeout_millis: int | None = None) -> bool:
        """Send what waits. False when it took longer than the timeout or spans were lost."""
        if self._closed:
            return False
        lost = self.stats.lost
        timeout = self._timeout if timeout_millis is None else timeout_millis / 1000
        return self._within(timeout, super().force_flush) and self.stats.lost == lost

    def shutdown(self) -> None:
        """Send what waits, within the flush timeout, and take no more spans."""
        if self._closed:
            return
        self._closed = self._sender.session.closing = True
        if not self._within(self._timeout, super().shutdown):
            self.stats.abandon()
            self._sender.warn("no answer before the program ended")
        self._sender.warn()

    def _within(self, timeout: float, action: Callable[[], object]) -> bool:
        """Run the action on the helper thread; whether it was done in time."""
        done = threading.Event()
        self._actions.put((action, done))
        return done.wait(timeout)

    def _start_helper(self) -> None:
        self._actions: queue.SimpleQueue[tuple[Callable[[], object], threading.Event]]
        self._actions = queue.SimpleQueue()
        threading.Thread(
            target=_run_actions, args=(self._actions,), name="agentguard-flush", daemon=True
        ).start()

    def _after_fork(self) -> None:
        """The child starts with an empty queue: its parent sends what the parent made."""
        self.stats.reset()
        self._sender.session.forget_connections()
        self._start_helper()


def _run_actions(
    actions: "queue.SimpleQueue[tuple[Callable[[], object], threading.Event]]",
) -> None:
    while True:
        action, done = actions.get()
        try:
            action()
        except Exception:
            log.debug("Flushing spans failed", exc_info=True)
        done.set()


def _not_ours(record: logging.LogRecord) -> bool:
    """Whether a record of OpenTelemetry's exporter is about an export that is not ours."""
    return not _ours.get()


def _quieten_exporters() -> None:
    """Our own exports are reported in our own words, once a minute."""
    for name in ("proto.http.trace_exporter", "proto.common._internal", "common.http"):
        logger = logging.getLogger(f"opentelemetry.exporter.otlp.{name}")
        if _not_ours not in logger.filters:
            logger.addFilter(_not_ours)
