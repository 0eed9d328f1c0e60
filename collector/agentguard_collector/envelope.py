"""A few protobuf fields put before an untouched OTLP body say whose it is and when it came.

Protobuf fields may come in any order, so `our fields + body` is one valid message. The CRC is
always the first field; a record therefore starts with the two tag bytes in `MARK`. In the log and
in the INSERT each record is preceded by its length as a varint.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from zlib import crc32

__all__ = ["MARK", "Envelope", "check", "decode", "encode", "read_varint", "varint"]

MARK = b"\xa5\x06"  # field 100, fixed32
_PROJECT = b"\xaa\x06"  # field 101, string
_RECEIVED = b"\xb1\x06"  # field 102, fixed64
_RETENTION = b"\xb8\x06"  # field 103, varint
_REGION = b"\xc2\x06"  # field 104, string
_BATCH = b"\xca\x06\x10"  # field 105, bytes, always 16 of them

_CRC_END = len(MARK) + 4


@dataclass(frozen=True, slots=True)
class Envelope:
    """`received_at` is Unix nanoseconds; `batch_id` is 16 bytes, unique per record."""

    project_id: str
    received_at: int
    retention_days: int
    region: str
    batch_id: bytes


def varint(value: int) -> bytes:
    """Encode an unsigned protobuf varint."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def read_varint(data: bytes | memoryview, at: int) -> tuple[int, int]:
    """Return the varint at `at` and the offset after it.

    Raises ValueError when it is cut off or longer than five bytes (no record is that large).
    """
    value = 0
    for shift in range(0, 35, 7):
        if at >= len(data):
            break
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
    raise ValueError("no varint here")


def encode(envelope: Envelope, body: bytes) -> tuple[bytes, bytes]:
    """Return what stands before the body (its length prefix included), and the body."""
    project, region = envelope.project_id.encode(), envelope.region.encode()
    fields = b"".join(
        (
            _PROJECT,
            varint(len(project)),
            project,
            _RECEIVED,
            struct.pack("<Q", envelope.received_at),
            _RETENTION,
            varint(envelope.retention_days),
            _REGION,
            varint(len(region)),
            region,
            _BATCH,
            envelope.batch_id,
        )
    )
    crc = crc32(body, crc32(fields))
    length = _CRC_END + len(fields) + len(body)
    return varint(length) + MARK + struct.pack("<I", crc) + fields, body


def check(record: bytes | memoryview) -> bool:
    """Tell whether a record (without its length prefix) is exactly what was written."""
    if len(record) < _CRC_END or record[:2] != MARK:
        return False
    return bool(struct.unpack_from("<I", record, 2)[0] == crc32(record[_CRC_END:]))


def decode(record: bytes) -> tuple[Envelope, bytes]:
    """Take a checked record apart into its envelope and the OTLP body."""
    at = _CRC_END + 2
    size, at = read_varint(record, at)
    project, at = record[at : at + size].decode(), at + size + 2
    received_at, at = struct.unpack_from("<Q", record, at)[0], at + 8 + 2
    retention, at = read_varint(record, at)
    size, at = read_varint(record, at + 2)
    region, at = record[at : at + size].decode(), at + size + len(_BATCH)
    return (
        Envelope(project, received_at, retention, region, record[at : at + 16]),
        record[at + 16 :],
    )
