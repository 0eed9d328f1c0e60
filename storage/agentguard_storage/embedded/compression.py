"""Content codings of bodies: gzip, deflate, lz4 (frame) and zstd; nothing unpacks in one go."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable
from typing import Final, Protocol

import lz4.frame
import zstandard

from agentguard_storage.embedded.errors import EngineError

__all__ = ["BodyError", "Readable", "ResponseEncoder", "decoded", "negotiate"]

BodyError = (OSError, EOFError, RuntimeError, zlib.error, zstandard.ZstdError)
"""What the decoders raise for data that is not what it claims to be, or ends early."""

_LEVEL: Final = 3
_ZSTD_SLICE: Final = 1024


class Readable(Protocol):
    """A blocking source of bytes."""

    def read(self, size: int = -1, /) -> bytes:
        """Return up to `size` bytes, b"" at the end."""
        ...


class _Deflate:
    def __init__(self, source: Readable) -> None:
        self._source = source
        self._inflate = zlib.decompressobj()

    def read(self, size: int = -1, /) -> bytes:
        while not self._inflate.eof:
            packed = self._inflate.unconsumed_tail or self._source.read(1 << 16)
            if not packed:
                raise EOFError("the deflate stream ends early")
            if part := self._inflate.decompress(packed, size):
                return part
        return b""


class _Zstd:
    """zstandard's own reader takes a cut-off frame for a whole one, so frames are fed here.

    A block of four bytes may unpack to 128 KiB: small slices bound what one of them becomes.
    """

    def __init__(self, source: Readable) -> None:
        self._source = source
        self._packed = memoryview(b"")
        self._frame = zstandard.ZstdDecompressor().decompressobj()
        self._inside = False

    def read(self, size: int = -1, /) -> bytes:
        parts: list[bytes] = []
        unpacked = 0
        while unpacked < size:
            packed = self._slice()
            if not packed:
                break
            parts.append(self._frame.decompress(packed))
            self._inside = True
            unpacked += len(parts[-1])
            if self._frame.eof:
                self._packed = memoryview(self._frame.unused_data + bytes(self._packed))
                self._frame = zstandard.ZstdDecompressor().decompressobj()
                self._inside = False
        if not unpacked and self._inside:
            raise EOFError("the zstd frame ends early")
        return b"".join(parts)

    def _slice(self) -> memoryview:
        if not self._packed:
            self._packed = memoryview(self._source.read(1 << 16))
        head, self._packed = self._packed[:_ZSTD_SLICE], self._packed[_ZSTD_SLICE:]
        return head


def decoded(source: Readable, coding: str) -> Readable:
    """Wrap `source` so that it reads unpacked; raises `EngineError` for an unknown coding."""
    match coding:
        case "" | "identity":
            return source
        case "gzip" | "x-gzip":
            return gzip.GzipFile(fileobj=source)  # type: ignore[call-overload,no-any-return]
        case "deflate":
            return _Deflate(source)
        case "lz4":
            return lz4.frame.LZ4FrameFile(source)  # type: ignore[no-any-return]
        case "zstd":
            return _Zstd(source)
        case _:
            raise EngineError(
                48, "NOT_IMPLEMENTED", f"Unknown content coding {coding!r}: use gzip, lz4 or zstd"
            )


class ResponseEncoder:
    """Packs a response; `name` is its Content-Encoding, "" for none."""

    def __init__(self, name: str = "") -> None:
        self.name = name
        self._first = b""
        self._add: Callable[[bytes], bytes] = bytes
        self._end: Callable[[], bytes] = bytes
        match name:
            case "gzip":
                gzip_packer = zlib.compressobj(_LEVEL, wbits=31)
                self._add, self._end = gzip_packer.compress, gzip_packer.flush
            case "zstd":
                zstd_packer = zstandard.ZstdCompressor(level=_LEVEL).compressobj()
                self._add, self._end = zstd_packer.compress, zstd_packer.flush
            case "lz4":
                lz4_packer = lz4.frame.LZ4FrameCompressor()
                self._first = lz4_packer.begin()
                self._add, self._end = lz4_packer.compress, lz4_packer.flush

    def add(self, part: bytes) -> bytes:
        """Return what is ready to be sent after `part`."""
        first, self._first = self._first, b""
        return first + self._add(part) if self.name else part

    def end(self) -> bytes:
        """Return what completes the response."""
        return self.add(b"") + self._end()


def negotiate(accept_encoding: str) -> str:
    """Choose among what the client accepts, in its order, as ClickHouse does; "" for none."""
    for offer in accept_encoding.lower().split(","):
        name, _, quality = offer.partition(";")
        if name.strip() in ("gzip", "lz4", "zstd") and "q=0" not in quality.replace("q=0.", ""):
            return name.strip()
    return ""
