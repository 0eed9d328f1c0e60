"""The write-ahead log: what is acknowledged is on disk first.

A worker writes one segment at a time in its own folder. One segment becomes one INSERT, its name
is the deduplication token, and its bytes never change once it may have been sent.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

__all__ = ["SUFFIX", "FolderLock", "Segment", "Usage", "Writer", "claim_folder", "sync_folder"]

SUFFIX = ".seg"
_IOV_MAX = 1000  # POSIX guarantees 16, Linux and macOS allow 1024 buffers a call


@dataclass(frozen=True, slots=True)
class Segment:
    """A segment that is no longer written to.

    `size` is in bytes. `checked` is False for one found on disk after a crash: it has to be
    repaired before it may be sent. `oldest` is time.monotonic() of its first record."""

    path: Path
    size: int
    spans: int
    oldest: float
    checked: bool = True

    @property
    def token(self) -> str:
        """The insert deduplication token."""
        return self.path.stem


class Usage:
    """Bytes on disk that are not in the store yet. Thread-safe."""

    def __init__(self) -> None:
        self._lock = Lock()
        self.bytes = 0

    def add(self, count: int) -> None:
        """Count bytes in (or, negative, out)."""
        with self._lock:
            self.bytes += count


class FolderLock:
    """Holds a worker's folder; the kernel lets go of it when the process dies."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self._file = (folder / "lock").open("a")
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise

    def release(self) -> None:
        """Let another process have the folder."""
        self._file.close()


def claim_folder(wal_dir: Path, worker: str | None) -> FolderLock:
    """Take the named worker's folder, or the first free of w0, w1, ...

    Raises BlockingIOError when the named one belongs to a living process.
    """
    if worker is not None:
        return FolderLock(wal_dir / worker)
    number = 0
    while True:
        try:
            return FolderLock(wal_dir / f"w{number}")
        except BlockingIOError:
            number += 1


def sync_folder(folder: Path) -> None:
    """Make a created, renamed or deleted name durable."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Writer:
    """Appends to the current segment; used by one thread only."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        # Unique across machines and restarts, and sorted by age.
        self._series = f"{folder.name}-{time.time_ns():016x}-{uuid.uuid4().hex[:12]}"
        self._count = 0
        self._handle = -1
        self._path = Path()
        self.size = 0
        self.spans = 0
        self.oldest = 0.0

    def append(self, buffers: Sequence[bytes], spans: int) -> None:
        """Write records and fsync.

        Raises OSError when the disk refuses; the segment is then as it was before.
        """
        if self._handle < 0:
            self._open()
        before = self.size
        try:
            self.size += _write_all(self._handle, buffers, before)
            os.fdatasync(self._handle)
        except OSError:
            self.size = before
            os.ftruncate(self._handle, before)
            raise
        self.spans += spans

    def rewind(self, size: int, spans: int) -> None:
        """Take the last append back."""
        self.size, self.spans = size, spans
        os.ftruncate(self._handle, size)

    def seal(self) -> Segment | None:
        """End the current segment; None when nothing is in it."""
        if self._handle < 0:
            return None
        os.close(self._handle)
        self._handle = -1
        if not self.size:
            self._path.unlink()
            return None
        segment = Segment(self._path, self.size, self.spans, self.oldest)
        self.size = self.spans = 0
        return segment

    def _open(self) -> None:
        path = self._folder / f"{self._series}-{self._count:08d}{SUFFIX}"
        self._handle = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
        self._count += 1
        self._path, self.size, self.spans, self.oldest = path, 0, 0, time.monotonic()
        sync_folder(self._folder)


def _write_all(handle: int, buffers: Sequence[bytes], offset: int) -> int:
    """Write every buffer from `offset` on, whatever the kernel takes at a time; return the sum."""
    written = 0
    for start in range(0, len(buffers), _IOV_MAX):
        part = list(buffers[start : start + _IOV_MAX])
        while part:
            count = os.pwritev(handle, part, offset + written)
            written += count
            while part and count >= len(part[0]):
                count -= len(part.pop(0))
            if part and count:
                part[0] = part[0][count:]
    return written
