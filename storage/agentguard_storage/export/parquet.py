"""Parquet: a row group for each slice, so that none but the last is ever in memory."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, Final

import orjson
import pyarrow as pa  # type: ignore[import-untyped]
import pyarrow.parquet as pq  # type: ignore[import-untyped]

from agentguard_storage.export.rows import COLUMNS, rows
from agentguard_storage.queries.export import Slice

__all__ = ["SCHEMA", "parquet"]

_ROWS: Final = 4_096
_TYPES: Final = {
    "text": pa.string(),
    "count": pa.int64(),
    "time": pa.timestamp("ns", tz="UTC"),
    "money": pa.decimal128(38, 12),
    "json": pa.string(),
}
SCHEMA: Final = pa.schema(
    [pa.field(name, _TYPES[kind], nullable=kind == "money") for name, kind in COLUMNS.items()]
)
"""The columns; those of the kind "json" are JSON texts."""
_MOST: Final = 2**63 - 1


class _Written(io.RawIOBase):
    """Where the writer writes to: keeps what is written until it is taken."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._size = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size += len(part)
        return len(part)

    def tell(self) -> int:
        return self._size

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)


def parquet(found: Iterable[Slice]) -> Iterator[bytes]:
    """One Parquet file, compressed with zstd."""
    written = _Written()
    with pq.ParquetWriter(written, SCHEMA, compression="zstd") as writer:
        for each in found:
            waiting: list[list[Any]] = []
            for row in rows(each, times="ns"):
                waiting.append(row)
                if len(waiting) == _ROWS:
                    writer.write_table(_table(waiting))
                    waiting = []
                    yield written.taken()
            if waiting:
                writer.write_table(_table(waiting))
            yield written.taken()
    yield written.taken()


def _table(found: list[list[Any]]) -> pa.Table:
    columns = zip(COLUMNS.values(), SCHEMA, zip(*found, strict=True), strict=True)
    arrays = [pa.array(_values(kind, column), field.type) for kind, field, column in columns]
    return pa.Table.from_arrays(arrays, schema=SCHEMA)


def _values(kind: str, column: tuple[Any, ...]) -> Iterable[Any]:
    if kind == "json":
        return [orjson.dumps(each).decode() for each in column]
    if kind == "money":
        return [None if each is None else Decimal(each) for each in column]
    if kind == "count":
        return [min(each, _MOST) for each in column]
    return column
