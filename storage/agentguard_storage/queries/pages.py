"""Pages of long answers: each says where the next one begins."""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from agentguard_storage.queries.errors import InvalidQuery

__all__ = ["MOST", "Page", "cursor", "position", "wanted"]

MOST: Final = 1_000
"""Rows of the longest page."""
_MARK: Final = 8
_LONGEST: Final = 1_024

Row = TypeVar("Row")


@dataclass(frozen=True, slots=True)
class Page(Generic[Row]):
    """Some rows; `next_cursor` is None on the last page."""

    rows: list[Row]
    next_cursor: str | None


def wanted(limit: int, most: int = MOST) -> int:
    """The limit, if a page may be so long. Raises InvalidQuery."""
    if not 1 <= limit <= most:
        raise InvalidQuery(f"a limit is from 1 to {most:,}", where="limit")
    return limit


def cursor(question: Sequence[object], after: Sequence[int | str]) -> str:
    """Say where the next page of an answer begins: after the row with these sort keys.

    `question` is all that the answer depends on, the project first: a cursor is good for the very
    same question alone.
    """
    body = json.dumps(list(after), separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(_mark(question, body) + body).rstrip(b"=").decode()


def position(
    question: Sequence[object], text: str | None, kinds: Sequence[type]
) -> list[int | str] | None:
    """Return the sort keys in a cursor, which have these types; None where there is no cursor.

    Raises InvalidQuery for one that was altered, or belongs to another question.
    """
    if text is None:
        return None
    wrong = InvalidQuery(
        "this cursor does not belong to this question; begin again without one", where="cursor"
    )
    if len(text) > _LONGEST:
        raise wrong
    try:
        data = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise wrong from None
    mark, body = data[:_MARK], data[_MARK:]
    # Not a secret: whoever made one up would be shown rows of the same answer, and no others.
    if mark != _mark(question, body):
        raise wrong
    keys = json.loads(body)
    if [type(key) for key in keys] != list(kinds):
        raise wrong
    return list(keys)


def _mark(question: Sequence[object], body: bytes) -> bytes:
    asked = json.dumps(list(question), default=str, separators=(",", ":")).encode()
    return hashlib.blake2b(body, digest_size=_MARK, key=hashlib.sha256(asked).digest()).digest()
