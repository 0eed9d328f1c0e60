"""What is wrong with a filter, and where."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Final

from agentguard_storage.queries.errors import InvalidQuery

__all__ = ["FilterError", "nearest", "shown"]

_SHOWN: Final = 60


class FilterError(InvalidQuery):
    """A text that is no filter. `str()` names the place and what to write instead.

    `column` counts characters from 1; `suggestion` is a name or value that may have been meant.
    """

    def __init__(self, message: str, column: int, suggestion: str | None = None) -> None:
        self.column = column
        self.suggestion = suggestion
        meant = f"; did you mean '{suggestion}'?" if suggestion else ""
        super().__init__(f"{message} at column {column}{meant}", where="filter")


def shown(text: str) -> str:
    """Return what of somebody's text a message repeats."""
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."


def nearest(name: str, known: Iterable[str]) -> str | None:
    """Return the known name that is most like this one, if any is."""
    found = difflib.get_close_matches(name.lower()[:64], list(known), n=1, cutoff=0.6)
    return found[0] if found else None
