"""JSON, NDJSON and CSV."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator
from typing import Any, Final

import orjson

from agentguard_storage.export.rows import COLUMNS, rows
from agentguard_storage.queries.export import Slice

__all__ = ["comma_separated", "json_array", "json_lines"]

_NAMES: Final = tuple(COLUMNS)
_COST: Final = _NAMES.index("cost")
_TEXTS: Final = tuple(at for at, kind in enumerate(COLUMNS.values()) if kind == "text")
_OBJECTS: Final = tuple(at for at, kind in enumerate(COLUMNS.values()) if kind == "json")
# What a spreadsheet takes for a formula: https://owasp.org/www-community/attacks/CSV_Injection
_FORMULAS: Final = ("=", "+", "-", "@", "\t", "\r")


def json_lines(found: Iterable[Slice]) -> Iterator[bytes]:
    """One JSON object a line; the cost is a number with all its decimals."""
    for each in found:
        for row in rows(each):
            yield _object(row) + b"\n"


def json_array(found: Iterable[Slice]) -> Iterator[bytes]:
    """One JSON array; the first and last bytes are its brackets."""
    before = b"[\n"
    for each in found:
        for row in rows(each):
            yield before + _object(row)
            before = b",\n"
    yield b"[]\n" if before == b"[\n" else b"\n]\n"


def _object(row: list[Any]) -> bytes:
    if row[_COST] is not None:
        # A float would lose decimals of a long sum.
        row[_COST] = orjson.Fragment(row[_COST])
    return orjson.dumps(dict(zip(_NAMES, row, strict=True)))


def comma_separated(found: Iterable[Slice]) -> Iterator[bytes]:
    """CSV as in RFC 4180 with a header; an unknown cost is empty, objects are JSON.

    A text that a spreadsheet would take for a formula has an apostrophe before it: models and
    users write names and messages.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(_NAMES)
    for each in found:
        for row in rows(each):
            for at in _TEXTS:
                if row[at].startswith(_FORMULAS):
                    row[at] = "'" + row[at]
            for at in _OBJECTS:
                row[at] = orjson.dumps(row[at]).decode()
            writer.writerow(row)
            yield _taken(text)
    yield _taken(text)


def _taken(text: io.StringIO) -> bytes:
    written = text.getvalue().encode()
    text.seek(0)
    text.truncate()
    return written
