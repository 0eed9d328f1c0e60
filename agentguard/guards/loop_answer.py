"""One answer of a tool or a model, kept as it was when it came back.

Most answers are never compared with another: an answer is looked into when somebody asks.
"""

from __future__ import annotations

import marshal
import re
from collections.abc import Iterable, Mapping
from typing import Any, Final

from agentguard.guards.normalise import forms, text_form

__all__ = ["CANNOT_CHANGE", "Answer", "says_wait"]

CANNOT_CHANGE: Final = (str, int, float, type(None))
"""What need not be copied to be kept as it is."""
_UNREAD: Final = object()
_MOST_KEPT: Final = 65_536
"""Bytes of an answer that are kept to be looked into later."""
_FRUITLESS: Final = (
    "no result", "no match", "not found", "nothing", "no such", "denied", "blocked", "captcha",
    "invalid", "error", "failed", "unable", "cannot", "0 results", "no documents", "unavailable",
)  # fmt: skip
_LONGEST: Final = 400
_MOST_PARTS: Final = 40
# As words: not in `depending`, nor in `processing.py`.
_WAITING: Final = re.compile(
    r"""(?<![\w/.-])(?:pending|queued|running|in[ _-]progress|processing|not[ ](?:yet[ ])?ready|
        waiting|building|starting|scheduled|try[ ]again[ ]later|not[ ](?:yet[ ])?finished|
        still[ ](?:\w+ing|in|not|queued|scheduled))(?![\w/-]|\.\w)""",
    re.IGNORECASE | re.VERBOSE,
)


class Answer:
    """What came back from a call. Answers are alike where their loose forms are.

    `says_wait` is for who knows already whether it says so.
    """

    __slots__ = ("_form", "_fruitless", "_kept", "_waits")

    def __init__(self, value: object, *, says_wait: bool | None = None) -> None:
        self._waits = says_wait
        self._fruitless: bool | None = None
        self._form: object = _UNREAD
        self._kept: Any = value
        if not isinstance(value, CANNOT_CHANGE):
            self._freeze(value)

    def is_like(self, other: Answer) -> bool:
        """Whether both say the same."""
        own, others = self._kept, other._kept
        if not (isinstance(own, str) and isinstance(others, str)):
            return self.form == other.form
        if own == others:
            return True
        # Ids and times are much of a length.
        longer = max(len(own), len(others))
        return abs(len(own) - len(others)) <= 32 + longer // 10 and self.form == other.form

    @property
    def form(self) -> object:
        """The loose form; of what is too long to be read whole, that of its beginning and end."""
        if self._form is _UNREAD:
            kept = self._kept
            if isinstance(kept, str):
                self._form = text_form(kept)
            elif isinstance(kept, bytes):
                self._form = forms(marshal.loads(kept))[1]  # noqa: S302 - what `_freeze` wrote
            else:
                self._form = kept
        return self._form

    @property
    def says_wait(self) -> bool:
        """Whether it says that something is not ready yet."""
        if self._waits is None:
            self._waits = says_wait(self._value)
        return self._waits

    @property
    def is_fruitless(self) -> bool:
        """Whether it says that nothing came of it, and does not say to wait."""
        if self._fruitless is None:
            self._fruitless = _says_nothing_came(self._value) and not self.says_wait
        return self._fruitless

    @property
    def _value(self) -> object:
        kept = self._kept
        return marshal.loads(kept) if isinstance(kept, bytes) else kept  # noqa: S302 - as above

    def _freeze(self, value: Any) -> None:
        """Keep a copy, as quick to make as can be: whose value it is may change it."""
        try:
            self._kept = marshal.dumps(value)
        except ValueError:
            self._kept = None
        else:
            if len(self._kept) <= _MOST_KEPT:
                return
        # What cannot be copied so, or is too much to be kept, is looked into now.
        self._form = forms(value)[1]
        self._waits = says_wait(value) if self._waits is None else self._waits
        self._fruitless = _says_nothing_came(value) and not self._waits
        self._kept = None


def says_wait(answer: object) -> bool:
    """Whether the answer is that something is not ready yet."""
    text = _short_text(answer)
    return text is not None and _WAITING.search(text) is not None


def _says_nothing_came(answer: object) -> bool:
    if isinstance(answer, list | dict) and not answer:
        return True
    text = _short_text(answer)
    if text is None:
        return False
    # Five times as quick as a pattern of as many alternatives.
    text = text.lower()
    return any(map(text.__contains__, _FRUITLESS))


def _short_text(answer: object) -> str | None:
    """The answer as text; None where it is too long, or too short, to say such a thing."""
    if answer is None or isinstance(answer, int | float):
        return None
    if not isinstance(answer, str):
        # To write out all of a table takes long, only to see that it is no short text.
        if _parts_in(answer, _MOST_PARTS) > _MOST_PARTS:
            return None
        answer = repr(answer)
    return answer if len(answer) <= _LONGEST else None


def _parts_in(value: object, most: int) -> int:
    """How many values are in the value, itself counted; counts no further than beyond `most`."""
    inside: Iterable[object] = ()
    if isinstance(value, Mapping):
        inside = value.values()
    elif isinstance(value, list | tuple):
        inside = value
    parts = 1
    for part in inside:
        if parts > most:
            break
        parts += _parts_in(part, most - parts)
    return parts
