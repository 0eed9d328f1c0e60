"""Joining the blocks of a streamed SELECT into one document.

chDB gives every block as a document of its own. Formats made of rows or blocks may be joined once
the repeated header is cut off; the others (JSON, Parquet, ...) must be formatted in one piece.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

__all__ = ["HEADERS"]

Header = Callable[[bytes], int]


def _nothing(block: bytes) -> int:
    return 0


def _lines(count: int) -> Header:
    def length(block: bytes) -> int:
        end = 0
        for _ in range(count):
            end = block.find(b"\n", end) + 1
        return end

    return length


def _csv_records(count: int) -> Header:
    def length(block: bytes) -> int:
        end, left, quoted = 0, count, False
        while left and end < len(block):
            quoted ^= block[end] == 0x22
            left -= block[end] == 0x0A and not quoted
            end += 1
        return end

    return length


def _row_binary(lists: int) -> Header:
    def length(block: bytes) -> int:
        columns, end = _varint(block, 0)
        for _ in range(columns * lists):
            size, end = _varint(block, end)
            end += size
        return end

    return length


def _varint(block: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = block[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at


_ROW_FORMATS: Final[dict[str, tuple[Header, Header, Header]]] = {
    "tabseparated": (_nothing, _lines(1), _lines(2)),
    "tsv": (_nothing, _lines(1), _lines(2)),
    "csv": (_nothing, _csv_records(1), _csv_records(2)),
    "jsoncompacteachrow": (_nothing, _lines(1), _lines(2)),
    "jsoncompactstringseachrow": (_nothing, _lines(1), _lines(2)),
    "rowbinary": (_nothing, _row_binary(1), _row_binary(2)),
}

_PLAIN: Final = (
    "native", "jsoneachrow", "jsonlines", "ndjson", "jsonstringseachrow", "tsvraw",
    "tabseparatedraw", "lineasstring", "rawblob", "msgpack", "null", "protobuf",
)  # fmt: skip

HEADERS: Final[Mapping[str, Header]] = dict.fromkeys(_PLAIN, _nothing) | {
    name + suffix: headers[position]
    for name, headers in _ROW_FORMATS.items()
    for position, suffix in enumerate(("", "withnames", "withnamesandtypes"))
}
"""Lower-case name of a format whose blocks can be joined -> how long a block's header is."""
