"""One condition as SQL: the field's own expression beside bound values."""

from __future__ import annotations

from decimal import Decimal
from typing import assert_never

from agentguard_storage.filters.tree import (
    Between,
    Comparison,
    Condition,
    Exists,
    Is,
    Match,
    Pattern,
)
from agentguard_storage.queries.pieces import LONG, cut

__all__ = ["Binder", "condition_sql"]


class Binder:
    """Names parameters: `f0`, `f1` and so on."""

    def __init__(self) -> None:
        self.parameters: dict[str, object] = {}

    def bind(self, value: object, type_: str) -> str:
        """Return the placeholder of a value."""
        name = f"f{len(self.parameters)}"
        self.parameters[name] = value
        return f"{{{name}:{type_}}}"

    def text(self, value: str) -> str:
        """Return the placeholder of a text."""
        return self.bind(value, "String")


def condition_sql(condition: Condition, binder: Binder) -> str:
    """Return a boolean in parentheses, which is never NULL, over a row of the field's place."""
    if condition.field.keyed:
        return f"({_of_attribute(condition, binder)})"
    return f"({_of_field(condition, binder)})"


def _of_field(condition: Condition, binder: Binder) -> str:
    field, test = condition.field, condition.test
    expression = field.expression
    match test:
        case Match(patterns) if field.many:
            return f"arrayExists(x -> {_matches('x', patterns, binder)}, {expression})"
        case Match(patterns):
            return _matches(expression, patterns, binder)
        case Exists():
            if field.many:
                return f"notEmpty({expression})"
            return f"{expression} IS NOT NULL" if field.type == "money" else f"{expression} != ''"
        case Is(flag):
            return expression if flag else f"NOT ({expression})"
        case Comparison(operator, amount):
            made = f"({expression}) {operator} {_amount(field.type, amount, binder)}"
        case Between(low, high):
            first, last = (_amount(field.type, each, binder) for each in (low, high))
            made = f"({expression}) BETWEEN {first} AND {last}"
        case _:
            assert_never(test)
    # A cost that is not known is neither above nor below anything.
    return f"ifNull({made}, 0)" if field.type == "money" else made


def _of_attribute(condition: Condition, binder: Binder) -> str:
    column, test, own = condition.field.expression, condition.test, condition.field.place == "spans"
    key = binder.text(condition.key)
    value, there = f"{column}[{key}]", f"mapContains({column}, {key})"
    match test:
        case Exists():
            return f"{there} OR has(content.key, {key})" if own else there
        case Match(patterns):
            matched = _matches(value, patterns, binder, exists=there)
            # A missing key gives an empty value; of patterns, the index on keys knows more.
            plain = all(len(pattern.parts) == 1 and pattern.parts[0] for pattern in patterns)
            made = matched if plain else f"{there} AND {matched}"
            long = [_is_long(p.parts[0], key, binder) for p in patterns if own and _in_blobs(p)]
            return " OR ".join([f"({made})", *long])
        case Comparison(operator, amount):
            number = f"toFloat64OrNull({value}) {operator} {_number(amount, binder)}"
            return f"{there} AND ifNull({number}, 0)"
        case Between(low, high):
            first, last = (_number(each, binder) for each in (low, high))
            number = f"toFloat64OrNull({value}) BETWEEN {first} AND {last}"
            return f"{there} AND ifNull({number}, 0)"
        case Is():
            raise TypeError("attributes are texts")
        case _:
            assert_never(test)


def _matches(
    expression: str, patterns: tuple[Pattern, ...], binder: Binder, exists: str | None = None
) -> str:
    equal = [pattern.parts[0] for pattern in patterns if len(pattern.parts) == 1]
    like = [pattern.parts for pattern in patterns if len(pattern.parts) > 1]
    made: list[str] = []
    if len(equal) == 1:
        made.append(f"{expression} = {binder.text(equal[0])}")
    elif equal:
        made.append(f"{expression} IN ({', '.join(map(binder.text, equal))})")
    for parts in like:
        if not any(parts):
            made.append(exists or f"{expression} != ''")
        else:
            made.append(f"{expression} LIKE {binder.text('%'.join(map(_escaped, parts)))}")
    return made[0] if len(made) == 1 else f"({' OR '.join(made)})"


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def _in_blobs(pattern: Pattern) -> bool:
    return len(pattern.parts) == 1 and len(pattern.parts[0].encode()) >= LONG


def _is_long(text: str, key: str, binder: Binder) -> str:
    """As ingest cuts a long text into pieces, each of which is known by its hash."""
    form, pieces = cut(text)
    bound = binder.bind(pieces, "Array(String)")
    how = binder.bind(form, "UInt8")
    at = f"indexOf(content.key, {key})"
    return (
        f"(content.form[{at}] = {how} AND content.blobs[{at}]"
        f" = arrayMap(p -> reinterpretAsUInt128(sipHash128(p)), {bound}) AND {at} > 0)"
    )


def _amount(type_: str, amount: Decimal, binder: Binder) -> str:
    if type_ == "money":
        return f"toDecimal128({binder.text(f'{amount:f}')}, 12)"
    return binder.bind(int(amount), "UInt64")


def _number(amount: Decimal, binder: Binder) -> str:
    return binder.bind(float(amount), "Float64")
