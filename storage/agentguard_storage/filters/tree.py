"""A filter, parsed: what is asked of a span, of its trace, and of the spans around it.

Node
├── All, OneOf, Not     boolean
├── Relation            a span that one holds for, by its place among spans that another holds for
├── Condition           one field, and a test of it
└── Text                words in messages, names and errors

`str()` of a node is its text in the filter language, which parses to an equal node.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final, Literal

from agentguard_storage.filters.amounts import written
from agentguard_storage.filters.fields import Field

__all__ = [
    "All",
    "Between",
    "Comparison",
    "Condition",
    "Exists",
    "Filter",
    "Is",
    "Match",
    "Node",
    "Not",
    "OneOf",
    "Operator",
    "Pattern",
    "Relation",
    "RelationSign",
    "Test",
    "Text",
    "walk",
]  # fmt: skip

Operator = Literal["=", ">", ">=", "<", "<="]
RelationSign = Literal["<", ">", "<<", ">>"]

# As the grammar's VALUE and WORD; what an operator, a list or a wildcard could be is quoted.
_BARE_VALUE: Final = re.compile(r"[^\s()\"<>=,*\\][^\s()\"<>,*\\]*")
_BARE_WORD: Final = re.compile(
    r"(?!(?:AND|OR|NOT)$)(?![A-Za-z_][^:]*:)[^\s()\"<>*\\-][^\s()\"<>*\\]*"
)


@dataclass(frozen=True, slots=True)
class Pattern:
    """A text, or its parts with anything between them: `a*b` is ("a", "b")."""

    parts: tuple[str, ...]

    def __str__(self) -> str:
        return "*".join(_value(part) if part or len(self.parts) == 1 else "" for part in self.parts)


@dataclass(frozen=True, slots=True)
class Match:
    """Equal to one of the patterns."""

    patterns: tuple[Pattern, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """A number beside another: US dollars, nanoseconds, or a count."""

    operator: Operator
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Between:
    """From `low` to `high`, both included."""

    low: Decimal
    high: Decimal


@dataclass(frozen=True, slots=True)
class Is:
    """A flag that is set, or is not."""

    flag: bool


@dataclass(frozen=True, slots=True)
class Exists:
    """There is a value at all."""


Test = Match | Comparison | Between | Is | Exists


@dataclass(frozen=True, slots=True)
class Condition:
    """A test of a field; `key` names the attribute, where the field is a family of them."""

    field: Field
    key: str
    test: Test

    def __str__(self) -> str:
        name = self.field.name
        if self.field.keyed:
            name += self.key if _BARE_KEY.fullmatch(self.key) else _quoted(self.key)
        return f"{name}:{self._tested()}"

    def _tested(self) -> str:
        match self.test:
            case Match(patterns):
                return ",".join(str(pattern) for pattern in patterns)
            case Comparison("=", amount) if not self.field.keyed:
                return written(self.field.type, amount)
            case Comparison(operator, amount):
                return f"{operator}{written(self.field.type, amount)}"
            case Between(low, high):
                return f"{written(self.field.type, low)}..{written(self.field.type, high)}"
            case Is(flag):
                return "true" if flag else "false"
            case Exists():
                return "*"


@dataclass(frozen=True, slots=True)
class Text:
    """Words, one after the other, whatever their case."""

    text: str

    def __str__(self) -> str:
        return self.text if _BARE_WORD.fullmatch(self.text) else _quoted(self.text)


@dataclass(frozen=True, slots=True)
class Not:
    """What does not hold."""

    part: Node

    def __str__(self) -> str:
        return f"-{_grouped(self.part, Condition, Text)}"


@dataclass(frozen=True, slots=True)
class Relation:
    """`left`, and below (`<`), directly below (`<<`), above (`>`) or directly above a `right`."""

    sign: RelationSign
    left: Node
    right: Node

    def __str__(self) -> str:
        left = _grouped(self.left, Condition, Text, Not)
        return f"{left} {self.sign} {_grouped(self.right, Condition, Text, Not, Relation)}"


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return " ".join(_grouped(p, Condition, Text, Not, Relation) for p in self.parts)


@dataclass(frozen=True, slots=True)
class OneOf:
    """At least one part holds."""

    parts: tuple[Node, ...]

    def __str__(self) -> str:
        return " OR ".join(_grouped(p, Condition, Text, Not, Relation, All) for p in self.parts)


Node = All | OneOf | Not | Relation | Condition | Text


@dataclass(frozen=True, slots=True)
class Filter:
    """A whole filter; without a root it holds for everything. `str()` is its canonical text."""

    root: Node | None = None

    def __str__(self) -> str:
        return "" if self.root is None else str(self.root)


def walk(node: Node) -> Iterator[Node]:
    """Yield a node and all that are under it."""
    yield node
    match node:
        case All(parts) | OneOf(parts):
            for part in parts:
                yield from walk(part)
        case Not(part):
            yield from walk(part)
        case Relation(_, left, right):
            yield from walk(left)
            yield from walk(right)


_BARE_KEY: Final = re.compile(r"[^\s()\"<>:,\\]+")


def _grouped(node: Node, *tight: type) -> str:
    return str(node) if isinstance(node, tight) else f"({node})"


def _value(text: str) -> str:
    return text if _BARE_VALUE.fullmatch(text) else _quoted(text)


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
