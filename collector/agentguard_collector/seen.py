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
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any

import lmdb

__all__ = ["OWNER_BYTES", "Claims", "Seen", "batch_key", "project_prefix"]

OWNER_BYTES = 8
_PREFIX_BYTES = 8
_TRACE_END = _PREFIX_BYTES + 16
_BYTES_PER_SPAN = 256  # generous: 32 + 8 bytes, page overhead, half-full pages, two generations
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_STATE = b"state"


def project_prefix(project_id: str) -> bytes:
    """Return the 8 bytes that stand for a project at the front of a key."""
    return blake2b(project_id.encode(), digest_size=_PREFIX_BYTES).digest()


def batch_key(keys: Sequence[bytes]) -> bytes:
    """Return 16 bytes naming a batch by the spans in it.

    Hashing identities rather than the body costs a thirtieth and also recognises a batch that is
    resent in another encoding or compression.
    """
    return blake2b(b"".join(keys), digest_size=16).digest()


class Claims:
    """One write transaction: claims are kept when it commits and forgotten when it aborts."""

    def __init__(self, txn: Any, current: Any, old: Any, batches: tuple[Any, Any]) -> None:
        self._txn = txn
        self._current = current
        self._old = old if txn.stat(old)["entries"] else None
        self._batches = batches

    def knows_batch(self, key: bytes) -> bool:
        """Tell whether every span of this batch has been accepted before."""
        return any(self._txn.get(key, db=db) is not None for db in self._batches)

    def remember_batch(self, key: bytes) -> None:
        """Let the next copy of this batch be recognised by one look-up."""
        self._txn.put(key, b"", db=self._batches[0])

    def claim(self, keys: Sequence[bytes], owner: bytes) -> set[bytes] | None:
        """Claim keys for a record.

        None: all are distinct and new. Otherwise those that belong to another record, which may
        be none of them when keys repeat or were claimed by this owner before.
        """
        taken = self._in_old(keys, owner) if self._old is not None else set()
        wanted = sorted(keys) if not taken else sorted(set(keys) - taken)
        cursor = self._txn.cursor(db=self._current)
        consumed, added = cursor.putmulti([(key, owner) for key in wanted], overwrite=False)
        if added == len(keys):
            return None
        if added != consumed:
            taken.update(k for k in wanted if self._txn.get(k, db=self._current) != owner)
        return taken

    def _in_old(self, keys: Sequence[bytes], owner: bytes) -> set[bytes]:
        """One seek per trace tells whether the old generation needs asking at all."""
        cursor = self._txn.cursor(db=self._old)
        traces = {
            trace
            for trace in {key[:_TRACE_END] for key in keys}
            if cursor.set_range(trace) and cursor.key().startswith(trace)
        }
        if not traces:
            return set()
        return {
            key
            for key in keys
            if key[:_TRACE_END] in traces and self._txn.get(key, db=self._old) not in (None, owner)
        }


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
                map_size=max(64 << 20, max_spans * _BYTES_PER_SPAN),
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
            now = self._rotate(txn)
            yield Claims(
                txn,
                self._spans[now],
                self._spans[1 - now],
                (self._batches[now], self._batches[1 - now]),
            )

    def make_room(self) -> None:
        """Forget the old generation before its time, because the window is full."""
        self._full = True

    def _rotate(self, txn: Any) -> int:
        """Return the current generation's index, after turning to a fresh one if it is due."""
        state = txn.get(_STATE, db=self._meta)
        current, since = struct.unpack("<Bd", state) if state else (0, 0.0)
        entries = txn.stat(self._spans[current])["entries"]
        # A clock set back must not freeze the window, hence abs().
        aged = abs(time.time() - since) >= self._max_seconds
        due = self._full or aged or entries >= self._max_spans
        if state and not (due and entries):
            return int(current)
        if state:
            current, self._full = 1 - current, False
            txn.drop(self._spans[current], delete=False)
            txn.drop(self._batches[current], delete=False)
        txn.put(_STATE, struct.pack("<Bd", current, time.time()), db=self._meta)
        return int(current)


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
