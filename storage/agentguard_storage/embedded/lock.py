"""One engine per data directory: an advisory lock that dies with its process."""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from types import TracebackType

__all__ = ["DataDirectoryBusyError", "DataDirectoryLock"]

POLL_SECONDS = 0.05


class DataDirectoryBusyError(Exception):
    """Another process has the data directory open."""


class DataDirectoryLock:
    """Holds `<data_dir>/lock` while the engine is open; `flock` frees it even after kill -9.

    Waits up to `wait` seconds for a predecessor that is still closing, then raises
    `DataDirectoryBusyError` naming its process.
    """

    def __init__(self, data_dir: Path, wait: float) -> None:
        self._path = data_dir / "lock"
        self._wait = wait
        self._descriptor = -1

    def __enter__(self) -> DataDirectoryLock:
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + self._wait
        while not self._try():
            if time.monotonic() >= deadline:
                holder = os.pread(self._descriptor, 32, 0).decode(errors="replace").strip()
                os.close(self._descriptor)
                raise DataDirectoryBusyError(
                    f"{self._path.parent} is already open in process {holder or 'unknown'}: "
                    "stop that one, or choose another data directory"
                )
            time.sleep(POLL_SECONDS)
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n".encode(), 0)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)

    def _try(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EACCES):
                return False
            raise
        return True
