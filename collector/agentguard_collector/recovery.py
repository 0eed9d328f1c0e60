"""Segments found on disk at start: what is whole is kept, what is not is set aside.

A segment that may have been sent is never changed by this: its records are whole and its spans
are claimed by its own records, so the same bytes go out again under the same token.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from agentguard_collector import envelope
from agentguard_collector.otlp import read, without
from agentguard_collector.seen import OWNER_BYTES, Claims, Seen, batch_key, project_prefix
from agentguard_collector.wal import SUFFIX, Segment, sync_folder

__all__ = ["Scan", "find_segments", "repair", "scan"]

logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Scan:
    """`records` are whole ones, without length prefix; `damaged` are (offset, bytes) set aside."""

    records: list[bytes] = field(default_factory=list)
    damaged: list[tuple[int, bytes]] = field(default_factory=list)
    torn: int = 0


def find_segments(folder: Path) -> list[Segment]:
    """List a folder's segments, oldest first, unchecked."""
    now = time.monotonic()
    return [
        Segment(path, path.stat().st_size, 0, now, checked=False)
        for path in sorted(folder.glob(f"*{SUFFIX}"))
    ]


def scan(data: bytes) -> Scan:
    """Split a segment into records, checking each one's CRC.

    A damaged length prefix is healed (the next record's start says where this one ends), a
    damaged record is set aside, and an unfinished last record, which was never acknowledged, is
    counted in `torn` bytes.
    """
    result, at = Scan(), 0
    while at < len(data):
        end = _record_end(data, at)
        if end is not None:
            result.records.append(data[envelope.read_varint(data, at)[1] : end])
            at = end
            continue
        following = next(_starts(data, at + 1), len(data))
        start = data.find(envelope.MARK, at, at + 7)
        if start >= 0 and envelope.check(memoryview(data)[start:following]):
            result.records.append(data[start:following])
        elif following == len(data) and _runs_past_the_end(data, at):
            result.torn = len(data) - at
        else:
            result.damaged.append((at, data[at:following]))
        at = following
    return result


def _record_end(data: bytes, at: int) -> int | None:
    """Return where the whole record at `at` ends, or None if there is none."""
    try:
        size, start = envelope.read_varint(data, at)
    except ValueError:
        return None
    if start + size > len(data) or not envelope.check(memoryview(data)[start : start + size]):
        return None
    return start + size


def _starts(data: bytes, at: int) -> Iterator[int]:
    """Yield the offsets from `at` on at which a whole record, length prefix included, begins."""
    mark = data.find(envelope.MARK, at)
    while mark >= 0:
        for start in range(max(at, mark - 5), mark):
            try:
                _, body = envelope.read_varint(data, start)
            except ValueError:
                continue
            if body == mark and _record_end(data, start) is not None:
                yield start
                break
        mark = data.find(envelope.MARK, mark + 1)


def _runs_past_the_end(data: bytes, at: int) -> bool:
    try:
        size, start = envelope.read_varint(data, at)
    except ValueError:
        return len(data) - at < 5
    return start + size > len(data)


def repair(segment: Segment, seen: Seen, quarantine: Path) -> tuple[Segment | None, Scan]:
    """Make a found segment fit to be sent: whole records only, no span of another record's.

    Returns None for the segment when nothing is left of it. Raises OSError, lmdb.Error.
    """
    data = segment.path.read_bytes()
    found = scan(data)
    for offset, damaged in found.damaged:
        quarantine.mkdir(exist_ok=True)
        place = quarantine / f"{segment.token}.{offset}.bin"
        place.write_bytes(damaged)
        logger.error("a damaged log record (%d bytes) was set aside in %s", len(damaged), place)
    if found.torn:
        logger.warning("%s: dropped %d unacknowledged bytes", segment.path.name, found.torn)
    parts: list[bytes] = []
    spans = 0
    with seen.claims() as claims:
        for record in found.records:
            kept, count = _unclaimed(record, claims)
            parts += kept
            spans += count
    kept_data = b"".join(parts)
    if not kept_data:
        segment.path.unlink()
        return None, found
    if kept_data != data:
        _replace(segment.path, kept_data)
    return Segment(segment.path, len(kept_data), spans, segment.oldest), found


def _unclaimed(record: bytes, claims: Claims) -> tuple[list[bytes], int]:
    """Return the record, or what remains of it without spans that another record has claimed."""
    head, body = envelope.decode(record)
    batch = read(body, project_prefix(head.project_id), head.received_at)
    taken = claims.claim(batch.traces, head.batch_id[:OWNER_BYTES])
    claims.remember_batch(batch_key(batch.traces))
    if not taken:
        return [envelope.varint(len(record)), record], batch.spans
    body, kept = without(batch, taken)
    return ([*envelope.encode(head, body)], kept) if kept else ([], 0)


def _replace(path: Path, data: bytes) -> None:
    """Swap a file's content for another, whole or not at all, durably."""
    fresh = path.with_suffix(".tmp")
    with fresh.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)
    sync_folder(path.parent)
