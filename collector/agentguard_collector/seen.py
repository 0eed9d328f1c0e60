"""Which spans of late are already on disk: a window shared by all workers of the machine.

A span is known by its project, trace id and span id. A key's value names the record that claimed
it, so a record that is replayed after a crash recognises its own claims.

The window lives in LMDB without fsync: a killed process loses nothing, only a power cut does, and
then (the boot id has changed) it is thrown away and rebuilt from the logs that were not yet sent.
Two generations bound it: the current one fills, the old one is only consulted.
"""

from __future__ import annotations

import fcntl
import shutil
import struct
import time
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

import lmdb

from agentguard_collector.otlp import Traces

__all__ = ["OWNER_BYTES", "Claims", "Seen", "batch_key", "project_prefix"]

OWNER_BYTES = 8
_PREFIX_BYTES = 8
# A trace of one span takes about 75 bytes in each of two generations, and as much again while a
# large transaction copies the pages it touches.
_BYTES_PER_SPAN = 400
_WORTH_A_NAME = 16
_LEAST_BYTES = 64 << 20
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STATE = b"state"
_STATE_FORMAT = "<BdQ"  # current generation, since when (monotonic), spans in it


def project_prefix(project_id: str) -> bytes:
    """Return the 8 bytes that stand for a project at the front of a key."""
    return blake2b(project_id.encode(), digest_size=_PREFIX_BYTES).digest()


def batch_key(traces: Traces) -> bytes | None:
    """Return 16 bytes naming a batch by the spans in it; None for one too small to be worth it.

    Hashing identities rather than the body costs a thirtieth and also recognises a batch that is
    resent in another encoding or compression.
    """
    if sum(map(len, traces.values())) < _WORTH_A_NAME:
        return None
    name = blake2b(digest_size=16)
    for trace, ids in traces.items():
        name.update(trace + b"".join(ids))
    return name.digest()


class Claims:
    """One write transaction: claims are kept when it commits and forgotten when it aborts.

    The first record that brings spans of a trace claims them in one entry, the trace's head:
    `prefix + trace id -> owner + span ids`. Later records of that trace claim span by span:
    `prefix + trace id + span id -> owner`. Most traces come whole, and one entry costs as much as
    one span would. Where a generation knows a trace at all, it has its head.
    """

    def __init__(self, txn: Any, current: Any, old: Any, batches: tuple[Any, Any]) -> None:
        self._txn = txn
        self._current = current
        self._old = old if txn.stat(old)["entries"] else None
        self._batches = batches
        self.count = 0

    def knows_batch(self, key: bytes | None) -> bool:
        """Tell whether every span of this batch has been accepted before."""
        return key is not None and any(
            self._txn.get(key, db=db) is not None for db in self._batches
        )

    def remember_batch(self, key: bytes | None) -> None:
        """Let the next copy of this batch be recognised by one look-up."""
        if key is not None:
            self._txn.put(key, b"", db=self._batches[0])

    def claim(self, traces: Traces, owner: bytes) -> set[bytes] | None:
        """Claim spans for a record.

        None: all are distinct and none is another record's. Otherwise the keys of those that are,
        which may be none of them when ids repeat.
        """
        heads = sorted((trace, owner + b"".join(ids)) for trace, ids in traces.items())
        known = [trace for trace, _ in heads if self._in_old(trace)]
        if known:
            heads = [head for head in heads if head[0] not in known]
        _, added = self._txn.cursor(db=self._current).putmulti(heads, overwrite=False)
        if added != len(heads):
            known += [trace for trace, _ in heads if self._head_owner(trace) != owner]
        taken = {key for trace in known for key in self._claim_each(trace, traces[trace], owner)}
        self.count += sum(map(len, traces.values()))
        repeats = any(len(set(ids)) != len(ids) for ids in traces.values())
        return taken if taken or repeats else None

    def _in_old(self, trace: bytes) -> bool:
        return self._old is not None and self._txn.get(trace, db=self._old) is not None

    def _head_owner(self, trace: bytes) -> bytes:
        return bytes(self._txn.get(trace, db=self._current)[:OWNER_BYTES])

    def _claim_each(self, trace: bytes, ids: list[bytes], owner: bytes) -> list[bytes]:
        """Claim spans of a trace that is known; return the keys of those that are not ours."""
        theirs = {
            span
            for db in (self._current, self._old)
            if db is not None
            for span in self._theirs(db, trace, ids, owner)
        }
        ours = [span for span in dict.fromkeys(ids) if span not in theirs]
        head = owner + b"".join(ours)
        if ours and not self._txn.put(trace, head, overwrite=False, db=self._current):
            cursor = self._txn.cursor(db=self._current)
            cursor.putmulti([(trace + span, owner) for span in sorted(ours)], overwrite=False)
        return [trace + span for span in theirs]

    def _theirs(self, db: Any, trace: bytes, ids: list[bytes], owner: bytes) -> Iterator[bytes]:
        """Yield the ids that one generation holds for other owners."""
        head = self._txn.get(trace, db=db)
        if head is None:
            return
        others = set() if head.startswith(owner) else set(_split(head))
        for span in ids:
            if span in others or self._txn.get(trace + span, db=db) not in (None, owner):
                yield span


def _split(head: bytes) -> Iterator[bytes]:
    """Yield the span ids of a head."""
    return (head[at : at + 8] for at in range(OWNER_BYTES, len(head), 8))


class Seen:
    """The window. One writer at a time per machine: LMDB's own lock is the queue.

    `max_spans` and `max_seconds` bound one generation.
    """

    def __init__(self, folder: Path, *, max_spans: int, max_seconds: float) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._full = False
        self._max_spans, self._max_seconds = max_spans, max_seconds
        with (folder / "lock").open("a") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.rebuilt = _forget_after_power_cut(folder)
            self._env = lmdb.open(
                str(folder / "lmdb"),
                map_size=max(_LEAST_BYTES, max_spans * _BYTES_PER_SPAN),
                max_dbs=8,
                sync=not _BOOT_ID.exists(),
                metasync=False,
            )
            self._spans = [self._env.open_db(name) for name in (b"spans0", b"spans1")]
            self._batches = [self._env.open_db(name) for name in (b"batches0", b"batches1")]
            self._meta = self._env.open_db(b"meta")

    def __enter__(self) -> Seen:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the environment; other processes keep theirs."""
        self._env.close()

    @contextmanager
    def claims(self) -> Iterator[Claims]:
        """Open a transaction; commit it at the end of the block, abort it on an exception.

        Raises lmdb.Error when the window cannot be written (a full disk).
        """
        with self._env.begin(write=True) as txn:
            now, since, spans = self._rotate(txn)
            claims = Claims(
                txn,
                self._spans[now],
                self._spans[1 - now],
                (self._batches[now], self._batches[1 - now]),
            )
            yield claims
            txn.put(
                _STATE, struct.pack(_STATE_FORMAT, now, since, spans + claims.count), db=self._meta
            )
        self._full = False

    def make_room(self) -> None:
        """Forget the old generation before its time, because the window is full."""
        self._full = True

    def _rotate(self, txn: Any) -> tuple[int, float, int]:
        """Return the current generation's index, start and number of spans; it may be a new one."""
        # Machine-wide, never set back, and the window does not outlive a boot.
        now = time.monotonic()
        state = txn.get(_STATE, db=self._meta)
        if not state:
            return 0, now, 0
        current, since, spans = struct.unpack(_STATE_FORMAT, state)
        aged = not 0 <= now - since < self._max_seconds
        if not spans or not (aged or self._full or spans >= self._max_spans):
            return current, since, spans
        fresh = 1 - current
        txn.drop(self._spans[fresh], delete=False)
        txn.drop(self._batches[fresh], delete=False)
        return fresh, now, 0


def _forget_after_power_cut(folder: Path) -> bool:
    """Throw the window away if the machine has booted since it was written."""
    boot = _BOOT_ID.read_text().strip() if _BOOT_ID.exists() else ""
    note = folder / "boot_id"
    known = note.read_text() if note.exists() else None
    if known == boot:
        return False
    shutil.rmtree(folder / "lmdb", ignore_errors=True)
    note.write_text(boot)
    return known is not None
