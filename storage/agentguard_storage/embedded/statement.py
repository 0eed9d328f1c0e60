"""Just enough of ClickHouse's grammar to tell an INSERT's text from its data.

The engine's parser decides what anything means; here only the place where data begins is found,
by the rules of https://clickhouse.com/docs/sql-reference/statements/insert-into.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

__all__ = ["InsertStatement", "named_format", "reads_input", "split_insert"]

_TOKEN = re.compile(
    rb"""
      (?P<space> \s+ | --[^\n]* | \#[\ !][^\n]* | /\*.*?\*/ )
    | (?P<quoted> '(?:[^'\\]|\\.|'')*' | `(?:[^`\\]|\\.|``)*` | "(?:[^"\\]|\\.|"")*" )
    | (?P<word> [A-Za-z_][A-Za-z0-9_]* )
    | (?P<other> . )
    """,
    re.VERBOSE | re.DOTALL,
)
_FORMAT_NAME = re.compile(rb"\s+([A-Za-z][A-Za-z0-9_]*)[ \t\f]*\r?\n?")
_TAIL = re.compile(r"\sFORMAT\s+([A-Za-z][A-Za-z0-9_]*)\s*;?\s*\Z", re.IGNORECASE)
_COMMENT = re.compile(r"--|#|/\*")


@dataclass(frozen=True)
class InsertStatement:
    """An INSERT cut apart: `head` up to SETTINGS or FORMAT, `data` the first bytes that follow."""

    head: str
    settings: str
    format: str
    data: bytes


def split_insert(text: bytes) -> InsertStatement | None:
    """Split an INSERT that brings data; None for any other statement, or INSERT ... SELECT.

    Raises UnicodeDecodeError when the statement itself is not UTF-8.
    """
    tokens = _outer_tokens(text)
    if next(tokens, (b"",))[0] != b"INSERT":
        return None
    clause = None
    for word, start, end in tokens:
        if word == b"SETTINGS":
            clause = start
        if word in (b";", b"INFILE", b"SELECT", b"WITH"):
            return None
        if word == b"VALUES":
            return _insert(text[:start], clause, "Values", text[end:])
        if word == b"FORMAT":
            name = _FORMAT_NAME.match(text, end)
            if name is None:
                return None
            return _insert(text[:start], clause, name[1].decode(), text[name.end() :])
    return None


def _insert(text: bytes, clause: int | None, data_format: str, data: bytes) -> InsertStatement:
    head, settings = (text, b"") if clause is None else (text[:clause], text[clause:])
    return InsertStatement(head.decode(), settings.decode(), data_format, data)


def reads_input(text: bytes) -> bool:
    """Tell whether an INSERT ... SELECT takes its rows from `input()`, which chDB leaves empty."""
    if next(_outer_tokens(text), (b"",))[0] != b"INSERT" or b"input" not in text.lower():
        return False
    words = [token.group().lower() for token in _TOKEN.finditer(text) if not token["space"]]
    return words[:1] == [b"insert"] and (b"input", b"(") in pairwise(words)


def _outer_tokens(text: bytes) -> Iterator[tuple[bytes, int, int]]:
    depth = 0
    for token in _TOKEN.finditer(text):
        kind = token.lastgroup
        if kind == "space":
            continue
        found = token.group().upper() if kind != "quoted" else b"''"
        depth -= found == b")"
        if depth <= 0:
            yield found, token.start(), token.end()
        depth += found == b"("


def named_format(sql: str) -> str | None:
    """Return the format that `sql` ends with, "" when it names none, None when unsure."""
    if "format" not in sql.lower():
        return ""
    tail = _TAIL.search(sql)
    return tail[1] if tail and not _COMMENT.search(sql) else None
