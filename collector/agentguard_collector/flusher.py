"""Sends segments to the store, oldest first, one at a time, until each is in."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import lmdb

from agentguard_collector import envelope
from agentguard_collector.metrics import Metrics
from agentguard_collector.recovery import repair, scan
from agentguard_collector.seen import Seen
from agentguard_collector.sink import BadSegment, NotInserted, Sink
from agentguard_collector.wal import Segment, Usage

__all__ = ["Flusher"]

logger = logging.getLogger(__name__)

_FIRST_PAUSE = 0.05
_LONGEST_PAUSE = 5.0


class Flusher:
    """Owns every segment that is no longer written to. Lives on the event loop."""

    def __init__(self, sink: Sink, seen: Seen, usage: Usage, metrics: Metrics) -> None:
        self._sink, self._seen, self._usage, self._metrics = sink, seen, usage, metrics
        self._waiting: deque[Segment] = deque()
        self._arrived = asyncio.Event()
        self._empty = asyncio.Event()
        self._empty.set()
        self.on_idle: Callable[[], None] = lambda: None

    @property
    def backlog(self) -> int:
        """Segments not in the store yet. May be read from any thread."""
        return len(self._waiting)

    @property
    def lag(self) -> float:
        """Age in seconds of the oldest record that waits."""
        return time.monotonic() - self._waiting[0].oldest if self._waiting else 0.0

    def offer(self, segment: Segment) -> None:
        """Queue a segment behind the others."""
        self._waiting.append(segment)
        self._empty.clear()
        self._arrived.set()

    async def drained(self, seconds: float) -> bool:
        """Wait until nothing is queued; False when that takes longer than `seconds`."""
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Send for ever; cancel to stop. What is not sent stays on disk."""
        while True:
            while not self._waiting:
                self._empty.set()
                self._arrived.clear()
                await self._arrived.wait()
            await self._persist(self._waiting[0])
            self._waiting.popleft()
            if not self._waiting:
                self.on_idle()

    async def _persist(self, segment: Segment) -> None:
        """See a segment through whatever the disk says, unless it is gone."""
        pause = _FIRST_PAUSE
        while True:
            try:
                return await self._finish(segment)
            except FileNotFoundError:
                logger.error("%s has been deleted before it was sent", segment.path)  # noqa: TRY400
                return self._usage.add(-segment.size)
            except OSError as error:
                logger.error("cannot flush the log, will try again: %s", error)  # noqa: TRY400
                pause = await _wait(pause)

    async def _finish(self, segment: Segment) -> None:
        size = segment.size
        checked = segment if segment.checked else await self._repair(segment)
        if checked is not None:
            started = time.monotonic()
            try:
                await self._insist(checked.token, checked.path)
            except BadSegment as error:
                await self._divide(checked, await asyncio.to_thread(checked.path.read_bytes), error)
            self._metrics.flush_seconds.observe(time.monotonic() - started)
            self._metrics.flushed_spans.inc(checked.spans)
            await asyncio.to_thread(checked.path.unlink, missing_ok=True)
        self._usage.add(-size)

    async def _repair(self, segment: Segment) -> Segment | None:
        quarantine = segment.path.parent / "quarantine"
        pause = _FIRST_PAUSE
        while True:
            try:
                fit, found = await asyncio.to_thread(repair, segment, self._seen, quarantine)
            except (OSError, lmdb.Error) as error:
                logger.warning("cannot check %s, will try again: %s", segment.path, error)
                pause = await _wait(pause)
            else:
                self._metrics.quarantined.inc(len(found.damaged))
                return fit

    async def _insist(self, token: str, body: bytes | Path) -> None:
        """Insert until it is in; BadSegment goes to the caller."""
        pause, warned = _FIRST_PAUSE, False
        while True:
            try:
                if isinstance(body, Path):
                    await self._sink.insert_file(token, body)
                else:
                    await self._sink.insert(token, body)
            except NotInserted as error:
                self._metrics.flush_failures.inc()
                level = logging.DEBUG if warned else logging.WARNING
                logger.log(level, "the store did not take %s, retrying: %s", token, error)
                warned = True
                pause = await _wait(pause)
            else:
                if warned:
                    logger.warning("the store takes spans again")
                return

    async def _divide(self, segment: Segment, body: bytes, error: BadSegment) -> None:
        """Find the records the store cannot read by halving; keep them, insert the rest.

        The halves' tokens follow from the segment's, so a replay makes the same ones.
        """
        records = scan(body).records
        pending = [(0, len(records))]
        while pending:
            start, end = pending.pop()
            if (start, end) != (0, len(records)):
                try:
                    part = b"".join(envelope.varint(len(r)) + r for r in records[start:end])
                    await self._insist(f"{segment.token}:{start}-{end}", part)
                    continue
                except BadSegment as reason:
                    error = reason
            if end - start > 1:
                middle = (start + end) // 2
                pending += [(middle, end), (start, middle)]
            else:
                self._reject(segment, start, records[start], error)

    def _reject(self, segment: Segment, number: int, record: bytes, error: BadSegment) -> None:
        place = segment.path.parent / "rejected" / f"{segment.token}.{number}.bin"
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(record)
        self._metrics.poisonous.inc()
        logger.error(
            "the store cannot read one record: %s. It is kept in %s; "
            "`protoc --decode_raw < FILE` shows what is in it",
            error,
            place,
        )


async def _wait(pause: float) -> float:
    """Sleep around `pause` seconds; return the next, longer one."""
    await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - jitter is no secret
    return min(pause * 2, _LONGEST_PAUSE)
