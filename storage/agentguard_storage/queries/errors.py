"""What can become of a question, in words that its asker may read.

QueryError
├── InvalidQuery        it cannot be asked like this: a bad cursor, a reversed range, a limit
├── QueryTooLarge       it would take more time, rows or memory than one question may
└── StoreUnavailable    ClickHouse does not answer, or failed

None of them repeats what the engine said: that is logged, for operators.
"""

# ruff: noqa: N818 - they say what became of a question; "Error" would add nothing.

from __future__ import annotations

__all__ = ["InvalidQuery", "QueryError", "QueryTooLarge", "StoreUnavailable"]


class QueryError(Exception):
    """The parent of them all; `str()` is for the asker."""


class InvalidQuery(QueryError):
    """The question cannot be asked like this. `where` names the parameter, if one is at fault."""

    def __init__(self, message: str, *, where: str | None = None) -> None:
        super().__init__(message)
        self.where = where


class QueryTooLarge(QueryError):
    """The question reached a bound of the reader; a narrower one may be answered."""


class StoreUnavailable(QueryError):
    """ClickHouse is away, or cannot do what was asked of it; later it may."""
