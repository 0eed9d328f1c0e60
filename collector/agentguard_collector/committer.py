"""Group commit: requests that arrive during one fsync share the next.

    claim the spans' keys  ->  append to the log, fsync  ->  commit the claims  ->  acknowledge

A crash between fsync and commit leaves a record whose spans are unclaimed; recovery claims them,
or drops them if a retry got there first. Either way they are stored once.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

import lmdb

from agentguard_collector.envelope import Envelope, encode
from agentguard_collector.errors import Unavailable
from agentguard_collector.otlp import Batch, without
from agentguard_collector.seen import OWNER_BYTES, Claims, Seen, batch_key
from agentguard_collector.settings import Settings
from agentguard_collector.wal import Segment, Usage, Writer

__all__ = ["Committer", "Stored"]

logger = logging.getLogger(__name__)

_IDLE_SECONDS = 3600.0
_FLOW_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class Stored:
    """How many of a batch's spans were new, and how many had been accepted before."""

    fresh: int
    duplicates: int


@dataclass(slots=True)
class _Waiting:
    envelope: Envelope
    batch: Batch
    done: asyncio.Future[Stored]
    result: Stored = field(default=Stored(0, 0))


class Committer:
    """Owns the log's writer and its thread. `offer` is called on the loop per sealed segment."""

    def __init__(
        self,
        writer: Writer,
        seen: Seen,
        usage: Usage,
        settings: Settings,
        offer: Callable[[Segment], None],
        backlog: Callable[[], int],
    ) -> None:
        self._writer, self._seen, self._usage = writer, seen, usage
        self._settings, self._offer, self._backlog = settings, offer, backlog
        self._loop = asyncio.get_running_loop()
        self._queue: SimpleQueue[_Waiting | None] = SimpleQueue()
        self._pending = 0
        self._closing = False
        self._sealed = -_FLOW_SECONDS
        self._thread = threading.Thread(target=self._run, name="committer", daemon=True)
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether batches can be accepted at all."""
        return self._thread.is_alive() and not self._closing

    async def store(self, envelope: Envelope, batch: Batch) -> Stored:
        """Return once the batch is durable. Raises Unavailable when it cannot be made so."""
        size = len(batch.body)
        if self._usage.bytes + self._pending + size > self._settings.wal_bytes_per_worker:
            raise Unavailable(
                "the log of spans that wait for the store is full", reason="wal_full", retry_after=5
            )
        if not self.alive:
            raise Unavailable("shutting down", reason="shutting_down", retry_after=2)
        done: asyncio.Future[Stored] = self._loop.create_future()
        self._queue.put(_Waiting(envelope, batch, done))
        self._pending += size
        try:
            return await done
        finally:
            self._pending -= size

    def wake(self) -> None:
        """The flusher has caught up: the current segment may go."""
        self._queue.put(None)

    async def close(self) -> None:
        """Commit what is queued, seal the current segment, end the thread."""
        self._closing = True
        self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        while not self._closing or not self._queue.empty():
            group = self._take()
            if group:
                self._commit(group)
            if self._due():
                self._seal()
        self._seal()

    def _take(self) -> list[_Waiting]:
        """Wait for work or for the segment's time to be over; take what fits one segment."""
        try:
            first = self._queue.get(timeout=self._patience())
        except Empty:
            return []
        group = [first] if first else []
        size = len(first.batch.body) if first else 0
        while size < self._settings.segment_bytes:
            try:
                waiting = self._queue.get_nowait()
            except Empty:
                break
            if waiting:
                group.append(waiting)
                size += len(waiting.batch.body)
        return group

    def _patience(self) -> float:
        if not self._writer.size or self._backlog():
            return _IDLE_SECONDS
        return max(0.0, self._linger() - (time.monotonic() - self._writer.oldest))

    def _linger(self) -> float:
        """How long the current segment may grow after its first record, in seconds.

        An insert costs the store much the same whatever is in it: a lone batch goes out soon, a
        steady flow in few large segments.
        """
        flows = self._writer.oldest - self._sealed < _FLOW_SECONDS
        return self._settings.segment_seconds if flows else self._settings.quiet_segment_seconds

    def _due(self) -> bool:
        """A full segment is sealed at once, a young one when the flusher has nothing else."""
        writer, limits = self._writer, self._settings
        if writer.size >= limits.segment_bytes or writer.spans >= limits.segment_spans:
            return True
        aged = time.monotonic() - writer.oldest >= self._linger()
        return writer.size > 0 and aged and not self._backlog()

    def _seal(self) -> None:
        segment = self._writer.seal()
        if segment:
            self._sealed = time.monotonic()
            self._call(self._offer, segment)

    def _commit(self, group: list[_Waiting]) -> None:
        error: Unavailable | None = None
        size, spans = self._writer.size, self._writer.spans
        try:
            with self._seen.claims() as claims:
                buffers: list[bytes] = []
                for waiting in group:
                    buffers += self._claim(waiting, claims)
                if buffers:
                    fresh = sum(waiting.result.fresh for waiting in group)
                    self._writer.append(buffers, fresh)
            self._usage.add(self._writer.size - size)
        except lmdb.MapFullError:
            self._seen.make_room()
            error = self._give_up(size, spans, "the window of known spans is full", "window_full")
        except (OSError, lmdb.Error) as problem:
            logger.error("cannot write the log: %s", problem)  # noqa: TRY400 - a full disk is no bug
            cause = problem.strerror if isinstance(problem, OSError) else problem
            error = self._give_up(size, spans, f"the log cannot be written: {cause}", "disk")
        self._call(self._resolve, group, error)

    def _give_up(self, size: int, spans: int, message: str, reason: str) -> Unavailable:
        """Take back what this group wrote; after a failed fsync no more is put in that file."""
        try:
            if self._writer.size != size:
                self._writer.rewind(size, spans)
            self._seal()
        except OSError as problem:
            logger.error("cannot tidy the log: %s", problem)  # noqa: TRY400
        return Unavailable(message, reason=reason, retry_after=5)

    def _claim(self, waiting: _Waiting, claims: Claims) -> tuple[bytes, ...]:
        """Return the record's buffers, without spans that were accepted before."""
        batch = waiting.batch
        total, name = batch.spans, batch_key(batch.traces)
        if claims.knows_batch(name):
            waiting.result = Stored(0, total)
            return ()
        owner = os.urandom(16)
        taken = claims.claim(batch.traces, owner[:OWNER_BYTES])
        claims.remember_batch(name)
        body, fresh = batch.body, total
        if taken is not None:
            body, fresh = without(batch, taken)
        waiting.result = Stored(fresh, total - fresh)
        if not fresh:
            return ()
        head = waiting.envelope
        head = Envelope(head.project_id, head.received_at, head.retention_days, head.region, owner)
        return encode(head, body)

    def _call(self, function: Callable[..., None], *arguments: object) -> None:
        self._loop.call_soon_threadsafe(function, *arguments)

    @staticmethod
    def _resolve(group: list[_Waiting], error: Unavailable | None) -> None:
        for waiting in group:
            # A sender that has gone cancelled its future; its spans are stored all the same.
            if waiting.done.done():
                continue
            if error:
                waiting.done.set_exception(error)
            else:
                waiting.done.set_result(waiting.result)
