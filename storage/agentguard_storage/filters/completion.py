"""What may come next at a place in a filter that is being written."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, Literal

from agentguard_storage.filters import amounts
from agentguard_storage.filters.errors import FilterError
from agentguard_storage.filters.fields import FAMILIES, FIELDS, NAMES, Field
from agentguard_storage.filters.parse import LONGEST
from agentguard_storage.filters.seen import Seen, seen_keys, seen_values
from agentguard_storage.filters.tree import Condition, Exists, Pattern
from agentguard_storage.filters.values import unquoted
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.reader import Reader

__all__ = ["Completion", "complete"]

_MOST: Final = 20
_CHUNK: Final = re.compile(r'(?:"(?:[^"\\]|\\[\s\S])*(?:"|$)|[^\s()"])*')
_FIELD: Final = re.compile(
    r'((?:attr|resource)\.(?:"(?:[^"\\]|\\[\s\S])*"|[^\s":]+)|[A-Za-z_][^\s":]*):'
)
_ITEM: Final = re.compile(r'(?:"(?:[^"\\]|\\[\s\S])*(?:"|$)|[^",])+|,')
_SIGN: Final = re.compile(r"[<>]=?|=")
_BETWEEN: Final = (
    ("OR", "one of both holds"),
    ("AND", "both hold, as without it"),
    ("<", "the span is below one of these"),
    (">", "the span is above one of these"),
)
_SIGNS: Final = (">", ">=", "<", "<=")


@dataclass(frozen=True, slots=True)
class Completion:
    """What to write instead of the characters from `start` to `end` (counted from 0)."""

    text: str
    kind: Literal["field", "value", "operator"]
    detail: str
    start: int
    end: int


def complete(reader: Reader, time_range: TimeRange, text: str, position: int) -> list[Completion]:
    """Return what may stand at a position in a text, which need not be a filter yet.

    Names of fields and attributes, values with how often they were seen, operators: at most 20, the
    likeliest first. Values are those of the newest hours in the range; only so many spans are
    looked at. Raises InvalidQuery for a position outside the text, and a text longer than a filter.
    """
    if len(text) > LONGEST:
        raise InvalidQuery(f"a filter has at most {LONGEST:,} characters", where="text")
    if not 0 <= position <= len(text):
        raise InvalidQuery(f"the position is from 0 to {len(text)}", where="position")
    start, end = _chunk(text, position)
    while start < position and text[start] == "-":
        start += 1
    written = text[start:position]
    named = _FIELD.match(written)
    if named:
        field, key = _named(named[1])
        if field is None:
            return []
        return _values(reader, time_range, field, key, written[named.end() :], position, end)[
            :_MOST
        ]
    if written.startswith('"'):
        return []
    found = _fields(reader, time_range, written, start, end)
    if not written and text[:start].strip():
        found[:0] = [Completion(sign, "operator", what, start, end) for sign, what in _BETWEEN]
    return found[:_MOST]


def _chunk(text: str, position: int) -> tuple[int, int]:
    """The ends of what stands around the position without a space or parenthesis, but in quotes."""
    at = 0
    while at <= position:
        found = _CHUNK.match(text, at)
        end = found.end() if found else at
        if position <= end:
            return at, end
        at = end + 1
    return position, position


def _named(name: str) -> tuple[Field | None, str]:
    for family in FAMILIES:
        if name.startswith(family.name):
            key = name[len(family.name) :]
            try:
                return family, unquoted(key, 1) if key.startswith('"') else key
            except FilterError:
                return None, ""
    return NAMES.get(name), ""


def _fields(
    reader: Reader, time_range: TimeRange, written: str, start: int, end: int
) -> list[Completion]:
    prefix = written.lower()
    for family in FAMILIES:
        if prefix.startswith(family.name):
            keys = seen_keys(reader, time_range, family, written[len(family.name) :].strip('"'))
            return [
                Completion(f"{_name(family, seen.text)}:", "field", _often(seen), start, end)
                for seen in keys
            ]
    begin = [f for f in FIELDS if any(n.startswith(prefix) for n in (f.name, *f.aliases))]
    within = [f for f in FIELDS if f not in begin and prefix in f.name] if prefix else []
    return [
        Completion(f.name if f.keyed else f"{f.name}:", "field", f.description, start, end)
        for f in begin + within
    ]


def _name(family: Field, key: str) -> str:
    return str(Condition(family, key, Exists())).removesuffix(":*")


def _values(
    reader: Reader, time_range: TimeRange, field: Field, key: str, raw: str, position: int, end: int
) -> list[Completion]:
    sign = _SIGN.match(raw)
    if field.type in amounts.NUMERIC:
        detail = amounts.expected(field.type)
        start = position - len(raw)
        signs = [each for each in _SIGNS if each.startswith(raw)] if sign or not raw else []
        return [Completion(each, "operator", detail, start, end) for each in signs]
    listed = raw[sign.end() :] if sign else raw
    last = ""
    for item in _ITEM.finditer(listed):
        last = "" if item[0] == "," else item[0]
    start, prefix = position - len(last), last.strip('"')
    if field.type == "flag":
        known: Iterable[Seen] = (Seen(flag, None) for flag in ("true", "false"))
    elif field.type == "enum":
        known = (Seen(value, None) for value in field.values)
    else:
        known = seen_values(reader, time_range, field, key, prefix)
    return [
        Completion(str(Pattern((seen.text,))), "value", _often(seen), start, end)
        for seen in known
        if seen.text.lower().startswith(prefix.lower())
    ]


def _often(seen: Seen) -> str:
    return "" if seen.times is None else f"{seen.times:,} times"
