"""Long texts, which ingest cuts into pieces between the messages of a conversation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

__all__ = ["LONG", "cut", "joined"]

LONG: Final = 128
"""Bytes of the shortest text that is not among a span's attributes; as the views of ingest say."""

_JOINTS: Final = ("", '},{"role"', '}, {"role"')
_ENDED: Final = 4
"""Added to the number of the joint where the text ends as an array of messages does."""
_END: Final = "}]"


def joined(form: int, pieces: Iterable[str]) -> str:
    """Return the text that was cut into `pieces`; `form` says how."""
    return _JOINTS[form % _ENDED].join(pieces) + (_END if form >= _ENDED else "")


def cut(text: str) -> tuple[int, list[str]]:
    """Return the form and the pieces that ingest makes of a text."""
    form = next((number for number, joint in enumerate(_JOINTS) if joint and joint in text), 0)
    ended = text.endswith(_END)
    whole = text.removesuffix(_END)
    pieces = whole.split(_JOINTS[form]) if form else [whole]
    return form + (_ENDED if ended else 0), pieces
