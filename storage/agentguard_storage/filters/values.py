"""What may stand behind a field's colon: texts, lists, comparisons, ranges."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final, cast

from agentguard_storage.filters import amounts
from agentguard_storage.filters.errors import FilterError, nearest, shown
from agentguard_storage.filters.fields import Field
from agentguard_storage.filters.tree import (
    Between,
    Comparison,
    Exists,
    Is,
    Match,
    Operator,
    Pattern,
    Test,
)

__all__ = ["MOST_VALUES", "tested", "unquoted"]

MOST_VALUES: Final = 50
"""The longest list of values."""

_OPERATOR: Final = re.compile(r"[<>]=?|=")
_PIECES: Final = re.compile(r'"(?:[^"\\]|\\[\s\S])*"|\*|,|[^"*,]+')
_ESCAPES: Final = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_BACKSLASH: Final = r"""a backslash is written \\, and may stand before " n t r only: unknown"""
_FLAGS: Final = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_ANYTHING: Final = Pattern(("", ""))


def tested(field: Field, name: str, raw: str, column: int) -> Test:
    """Return the test that a value is, for a field; `name` is what messages call it.

    `column` is where the value begins. Raises FilterError where the field takes no such value.
    """
    found = _OPERATOR.match(raw)
    operator = found[0] if found else ""
    rest = raw[len(operator) :]
    place = column + len(operator)
    if not rest:
        raise FilterError(f"a value is expected after '{name}:{operator}'", place)
    if rest == "*":
        if operator or not (field.optional or field.many):
            raise FilterError(f"'{name}' takes {_takes(field)}, not '*',", place)
        return Exists()
    if field.keyed:
        number = _numeric("number", operator, rest)
        if number is not None:
            return number
        if operator not in ("", "="):
            raise FilterError(f"a number is expected after '{operator}'", place)
    elif field.type in amounts.NUMERIC:
        number = _numeric(field.type, operator or "=", rest)
        if number is None:
            raise FilterError(f"'{name}' takes {amounts.expected(field.type)}, with > < or a..b,",
                              place)  # fmt: skip
        return number
    elif operator not in ("", "="):
        raise FilterError(f"'{name}' takes {_takes(field)}, and has no '{operator}',", column)
    if field.type == "flag":
        return _flag(name, rest, place)
    patterns = [
        _chosen(field, name, pattern, at) if field.type == "enum" else pattern
        for pattern, at in _listed(rest, place)
    ]
    if len(patterns) > MOST_VALUES:
        raise FilterError(f"a list has at most {MOST_VALUES} values; this one is longer", place)
    return Exists() if patterns == [_ANYTHING] else Match(tuple(dict.fromkeys(patterns)))


def unquoted(text: str, column: int) -> str:
    """Return what a quoted text means. Raises FilterError for an unknown escape."""
    made: list[str] = []
    position = 1
    while position < len(text) - 1:
        character = text[position]
        if character == "\\":
            position += 1
            if text[position] not in _ESCAPES:
                raise FilterError(_BACKSLASH, column + position - 1)
            character = _ESCAPES[text[position]]
        made.append(character)
        position += 1
    return "".join(made)


def _takes(field: Field) -> str:
    match field.type:
        case "enum":
            return "one of " + ", ".join(field.values)
        case "flag":
            return "true or false"
        case "text":
            return "a text"
        case numeric:
            return amounts.expected(numeric)


def _numeric(type_: str, operator: str, text: str) -> Comparison | Between | None:
    low, dots, high = text.partition("..")
    if dots and operator in ("", "="):
        first, last = amounts.read(type_, low), amounts.read(type_, high)
        return None if first is None or last is None else Between(first, last)
    # An attribute is compared with a number only where it says so: `attr.zip:01` is a text.
    amount = amounts.read(type_, text) if operator else None
    return None if amount is None else Comparison(cast(Operator, operator), amount)


def _flag(name: str, text: str, column: int) -> Is:
    if text.lower() not in _FLAGS:
        raise FilterError(f"'{name}' is true or false, not '{shown(text)}',", column)
    return Is(_FLAGS[text.lower()])


def _listed(text: str, column: int) -> Iterator[tuple[Pattern, int]]:
    parts, start, written = [""], 0, False
    for piece in _PIECES.finditer(text):
        if piece[0] == ",":
            if not written:
                break
            yield Pattern(tuple(parts)), column + start
            parts, start, written = [""], piece.end(), False
            continue
        written = True
        if piece[0] == "*":
            # Two in a row mean no more than one.
            if parts != ["", ""] and (len(parts) == 1 or parts[-1]):
                parts.append("")
        elif piece[0].startswith('"'):
            parts[-1] += unquoted(piece[0], column + piece.start())
        else:
            parts[-1] += piece[0]
    if not written:
        raise FilterError("a list is written a,b with a value on each side of a comma: none",
                          column + start)  # fmt: skip
    yield Pattern(tuple(parts)), column + start


def _chosen(field: Field, name: str, pattern: Pattern, column: int) -> Pattern:
    text = "*".join(pattern.parts)
    wanted = text.lower().replace("_", " ").replace("-", " ")
    if len(pattern.parts) > 1 or wanted not in field.values:
        raise FilterError(
            f"'{name}' takes {_takes(field)}, not '{shown(text)}',",
            column,
            nearest(wanted, field.values),
        )
    return Pattern((wanted,))
