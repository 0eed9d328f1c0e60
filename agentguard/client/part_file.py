"""A file that has its name only once it is whole."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO

__all__ = ["PartFile"]


class PartFile:
    """Writes beside `path`, and takes its place where nothing went wrong until the end.

    Otherwise what was written is deleted, and what was at `path` stays. Raises OSError.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._file: BinaryIO | None = None
        self.size = 0

    def __enter__(self) -> PartFile:
        self._file = self._part.open("wb")
        return self

    def write(self, data: bytes) -> None:
        """Add to it."""
        if self._file is None:
            raise ValueError("the file is not open")
        self._file.write(data)
        self.size += len(data)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is None:
            return
        try:
            self._file.close()
            if kind is None:
                self._part.replace(self.path)
        finally:
            self._file = None
            self._part.unlink(missing_ok=True)
