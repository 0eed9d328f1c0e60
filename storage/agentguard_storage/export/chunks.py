"""Small pieces put together to what is worth a system call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["chunks"]

CHUNK_BYTES: Final = 256 << 10


def chunks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Join pieces until they are `CHUNK_BYTES` or more."""
    waiting: list[bytes] = []
    size = 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= CHUNK_BYTES:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)
