"""Decompression with a bound on what comes out.

A bomb is stopped once it has produced `limit` bytes: the decoders are never asked for more.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable

import zstandard

from agentguard_collector.errors import BadData, TooLarge, UnsupportedMedia

__all__ = ["ENCODINGS", "decompress"]

# A zstd block expands 4 bytes to at most 128 KiB, and the decoder takes no output limit: feeding
# it slices keeps the overshoot within some MiB.
_ZSTD_SLICE = 256


def decompress(data: bytes, encoding: str, limit: int) -> bytes:
    """Undo a Content-Encoding. `limit` is in bytes.

    Raises UnsupportedMedia, TooLarge, or BadData when the data is not what it claims to be.
    """
    decode = ENCODINGS.get(encoding)
    if decode is None:
        raise UnsupportedMedia(
            f"content encoding {encoding[:40]!r} is not supported; use {', '.join(ENCODINGS)}"
        )
    try:
        return decode(data, limit)
    except (zlib.error, zstandard.ZstdError) as error:
        raise BadData(f"the body is not valid {encoding}: {error}", reason="compression") from None


def _identity(data: bytes, limit: int) -> bytes:
    if len(data) > limit:
        raise _too_large(limit)
    return data


def _gzip(data: bytes, limit: int) -> bytes:
    """A gzip body may be several members in a row (RFC 1952, section 2.2)."""
    parts: list[bytes] = []
    room = limit
    while data:
        decoder = zlib.decompressobj(zlib.MAX_WBITS | 16)
        part = decoder.decompress(data, room + 1)
        if len(part) > room:
            raise _too_large(limit)
        if not decoder.eof:
            raise zlib.error("truncated")
        room -= len(part)
        parts.append(part)
        data = decoder.unused_data
    return b"".join(parts)


def _deflate(data: bytes, limit: int) -> bytes:
    """HTTP's deflate is zlib (RFC 9110, 8.4.1.2), but some senders leave its header out."""
    wrapped = len(data) > 1 and data[0] & 0x0F == 8 and (data[0] << 8 | data[1]) % 31 == 0
    decoder = zlib.decompressobj(zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS)
    out = decoder.decompress(data, limit + 1)
    if len(out) > limit:
        raise _too_large(limit)
    if not decoder.eof or decoder.unused_data:
        raise zlib.error("trailing data" if decoder.eof else "truncated")
    return out


def _zstd(data: bytes, limit: int) -> bytes:
    parts: list[bytes] = []
    room, at = limit, 0
    while at < len(data):
        decoder = zstandard.ZstdDecompressor().decompressobj()
        while at < len(data) and not decoder.eof:
            part = decoder.decompress(data[at : at + _ZSTD_SLICE])
            at += _ZSTD_SLICE
            room -= len(part)
            if room < 0:
                raise _too_large(limit)
            parts.append(part)
        if not decoder.eof:
            raise zstandard.ZstdError("truncated")
        at = min(at, len(data)) - len(decoder.unused_data)
    return b"".join(parts)


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit} bytes; send smaller batches")


ENCODINGS: dict[str, Callable[[bytes, int], bytes]] = {
    "identity": _identity,
    "gzip": _gzip,
    "deflate": _deflate,
    "zstd": _zstd,
}
