"""Text that is searched for: in contents, long and short, on their indexes; in names and errors."""

from __future__ import annotations

import json
import re
from typing import Final

from agentguard_storage.filters.conditions import Binder
from agentguard_storage.filters.tree import Text
from agentguard_storage.queries.hours import IN_HOURS

__all__ = ["text_sql", "traces_with_text"]

# As the tokenizer splitByNonAlpha: what is not ASCII is part of a word.
_TOKENS: Final = re.compile(rb"[A-Za-z0-9\x80-\xff]+")

# A span arrives after it began, but for clocks that differ; partitions go by the day of arrival.
_ARRIVED: Final = "received_at >= toDateTime({from_hour:UInt32}) - toIntervalDay(1)"

_SHORT: Final = ("name", "status_message")

_IN_SPANS: Final = f"FROM spans WHERE project_id = {{project:String}} AND {IN_HOURS} AND "


def text_sql(text: Text, binder: Binder) -> str:
    """Return a boolean over a row of `spans`."""
    contents, spans = _in_blobs(text.text, binder), _in_spans(text.text, binder)
    return (
        "((trace_id, span_id) IN ("
        f"SELECT trace_id, span_id {_IN_SPANS} trace_id IN (SELECT trace_id {contents})"
        f" AND arrayExists(h -> h IN (SELECT hash {contents}), arrayFlatten(content.blobs))"
        f"{_or('SELECT trace_id, span_id', spans)}))"
    )


def traces_with_text(text: Text, binder: Binder) -> str:
    """Return a boolean over a column `trace_id`; the same as of one of its spans, and quicker."""
    spans = _or("SELECT trace_id", _in_spans(text.text, binder))
    return f"(trace_id IN (SELECT trace_id {_in_blobs(text.text, binder)}{spans}))"


def _or(select: str, conditions: tuple[str, ...]) -> str:
    # Beside an OR an index would not be used.
    return "".join(f" UNION ALL {select} {_IN_SPANS} {each}" for each in conditions)


def _in_blobs(text: str, binder: Binder) -> str:
    return (
        f"FROM blobs WHERE project_id = {{project:String}} AND {_ARRIVED}"
        f" AND {_either('content', _forms(text), binder, indexed=True)}"
    )


def _in_spans(text: str, binder: Binder) -> tuple[str, str]:
    """What finds it in short contents, and in names and errors."""
    columns = (_either(column, [text], binder, indexed=False) for column in _SHORT)
    contents = _either("said", _forms(text), binder, indexed=True)
    return contents, f"({' OR '.join(columns)})"


def _forms(text: str) -> list[str]:
    """Contents are JSON as often as not: the text as it is, and as two writers escape it."""
    escaped = (json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True))
    return list(dict.fromkeys([text, *escaped]))


def _either(column: str, texts: list[str], binder: Binder, *, indexed: bool) -> str:
    return f"({' OR '.join(_has(column, text, binder, indexed) for text in texts)})"


def _has(column: str, text: str, binder: Binder, indexed: bool) -> str:
    tokens = [token.decode() for token in _TOKENS.findall(text.encode().lower())]
    if tokens == [text.lower()]:
        return _has_words(column, tokens, binder, indexed)
    exactly = f"positionCaseInsensitive({column}, {binder.text(text)}) > 0"
    if not tokens:
        return exactly
    return f"({_has_words(column, tokens, binder, indexed)} AND {exactly})"


def _has_words(column: str, tokens: list[str], binder: Binder, indexed: bool) -> str:
    words = binder.bind(list(dict.fromkeys(tokens)), "Array(String)")
    if indexed:
        # The index lowers both sides.
        return f"hasAllTokens({column}, {words})"
    return f"hasAllTokens(lower({column}), {words}, 'splitByNonAlpha')"
