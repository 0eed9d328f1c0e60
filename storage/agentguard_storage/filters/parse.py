"""From the text of a filter to its tree."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Final, NoReturn

from lark import Lark, Token, Transformer, v_args
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken, VisitError

from agentguard_storage.filters.errors import FilterError, nearest, shown
from agentguard_storage.filters.fields import FAMILIES, NAMES, Field
from agentguard_storage.filters.tree import (
    All,
    Condition,
    Filter,
    Node,
    Not,
    OneOf,
    Relation,
    RelationSign,
    Text,
    walk,
)
from agentguard_storage.filters.values import tested, unquoted

__all__ = ["LONGEST", "parse"]

LONGEST: Final = 2_000
"""Characters of the longest filter."""
_DEEPEST: Final = 20
_HEAVIEST: Final = 100
_MOST: Final = {"conditions": 50, "texts": 8, "relations": 4}
_SIGNS: Final[dict[str, RelationSign]] = {"<": "<", ">": ">", "<<": "<<", ">>": ">>"}
_WORDS: Final = re.compile("[A-Za-z0-9\u0080-\U0010ffff]")


def parse(text: str) -> Filter:
    """Return the filter that a text is; an empty one holds for everything.

    Takes a time proportional to the text's length. Raises FilterError, and nothing else.
    """
    if len(text) > LONGEST:
        raise FilterError(f"a filter has at most {LONGEST:,} characters: too long", LONGEST + 1)
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise FilterError("this is no character of Unicode", error.start + 1) from None
    try:
        made = _parser().parse(text)
    except UnexpectedInput as error:
        _explain(text, error)
    except VisitError as error:
        raise error.orig_exc from None
    assert isinstance(made, Filter)  # noqa: S101 - for the type checker: what `start` returns
    _bounded(made, len(text))
    return made


@dataclass(frozen=True, slots=True)
class _Built:
    """A node, how deep it is nested, and where it stands."""

    node: Node
    depth: int
    start: int
    end: int


@v_args(inline=True)
class _Builder(Transformer[Token, Filter]):
    def start(self, built: _Built | None = None) -> Filter:
        return Filter(None if built is None else built.node)

    def either(self, *parts: _Built) -> _Built:
        return _joined(OneOf, parts)

    def every(self, *parts: _Built) -> _Built:
        for before, after in pairwise(parts):
            if before.end == after.start:
                raise FilterError("a space is missing, or quotes around it all,", after.start + 1)
        return _joined(All, parts)

    def related(self, left: _Built, sign: Token, right: _Built) -> _Built:
        at, end = _span(sign)
        if left.end == at or end == right.start:
            _close_sign(left, sign, at)
        depth = max(left.depth, right.depth + 1)
        return _deep(Relation(_SIGNS[sign], left.node, right.node), depth, left.start, right.end)

    def negation(self, sign: Token, of: _Built) -> _Built:
        node = of.node.part if isinstance(of.node, Not) else Not(of.node)
        return _deep(node, of.depth + 1, _span(sign)[0], of.end)

    def group(self, opened: Token, inside: _Built, closed: Token) -> _Built:
        return _deep(inside.node, inside.depth + 1, _span(opened)[0], _span(closed)[1])

    def condition(self, name: Token, value: Token) -> _Built:
        (start, colon), (at, end) = _span(name), _span(value)
        field, key = _field(name[:-1], start + 1)
        if at != colon:
            raise FilterError(
                f"a value is expected right after '{shown(name)}', without a space,", at + 1
            )
        test = tested(field, shown(name[:-1]), str(value), at + 1)
        return _Built(Condition(field, key, test), 0, start, end)

    def word(self, word: Token) -> _Built:
        start, end = _span(word)
        if word in ("AND", "OR"):
            raise FilterError(f"a condition or a text is expected before '{word}'", start + 1)
        if "*" in word:
            raise FilterError(
                "whole words are searched for, without '*': leave it out, or quote it,",
                start + word.index("*") + 1,
            )
        return _Built(_text(str(word), start), 0, start, end)

    def quoted(self, quoted: Token) -> _Built:
        start, end = _span(quoted)
        return _Built(_text(unquoted(quoted, start + 1), start), 0, start, end)


def _span(token: Token) -> tuple[int, int]:
    return token.start_pos or 0, token.end_pos or 0


def _joined(kind: type[All | OneOf], parts: tuple[_Built, ...]) -> _Built:
    if len(parts) == 1:
        return parts[0]
    flat: list[Node] = []
    for part in parts:
        flat.extend(part.node.parts if isinstance(part.node, kind) else [part.node])
    return _Built(
        kind(tuple(flat)), max(part.depth for part in parts), parts[0].start, parts[-1].end
    )


def _deep(node: Node, depth: int, start: int, end: int) -> _Built:
    if depth > _DEEPEST:
        raise FilterError(f"a filter is nested at most {_DEEPEST} deep: too deep", start + 1)
    return _Built(node, depth, start, end)


def _field(name: str, column: int) -> tuple[Field, str]:
    for family in FAMILIES:
        if name.startswith(family.name) and name != family.name:
            key = name[len(family.name) :]
            if key.startswith('"'):
                key = unquoted(key, column + len(family.name))
            return family, key
    if name in NAMES:
        return NAMES[name], ""
    suggestion = nearest(name, NAMES)
    if suggestion is None and "." in name.strip("."):
        suggestion = f"attr.{shown(name)}"
    raise FilterError(f"unknown field '{shown(name)}'", column, suggestion)


def _text(text: str, start: int) -> Text:
    if not _WORDS.search(text):
        raise FilterError("a text to search for needs a letter or a digit: none", start + 1)
    return Text(text)


def _close_sign(left: _Built, sign: Token, at: int) -> NoReturn:
    if isinstance(left.node, Text) and left.node.text in NAMES:
        name = left.node.text
        raise FilterError(f"a colon is missing between '{name}' and '{sign}'", at + 1,
                          f"{name}:{sign}")  # fmt: skip
    raise FilterError(f"'{sign}' needs a space on both sides, or quotes around it all,", at + 1)


def _explain(text: str, error: UnexpectedInput) -> NoReturn:
    at = error.pos_in_stream if error.pos_in_stream is not None else len(text)
    expected: set[str] = set()
    found = ""
    if isinstance(error, UnexpectedCharacters):
        expected, found = set(error.allowed or ()), error.char
    elif isinstance(error, UnexpectedToken):
        expected = set(error.accepts or error.expected)
        found = "" if error.token.type == "$END" else str(error.token)
        at = at if found else len(text)
    if found == '"':
        raise FilterError("this quote is never closed", at + 1) from None
    if "VALUE" in expected:
        raise FilterError("a value is expected after the colon", at + 1) from None
    if found == ")" and "$END" in expected:
        raise FilterError("this ')' has no '(' before it", at + 1) from None
    if not found and "CLOSE" in expected:
        raise FilterError("a ')' is missing", at + 1) from None
    before = f" before '{shown(found)}'" if found else ""
    raise FilterError(f"a condition or a text is expected{before}", at + 1) from None


def _bounded(made: Filter, length: int) -> None:
    if made.root is None:
        return
    kinds = [type(node) for node in walk(made.root)]
    counted = {
        "conditions": kinds.count(Condition) + kinds.count(Text),
        "texts": kinds.count(Text),
        "relations": kinds.count(Relation),
    }
    for what, most in _MOST.items():
        if counted[what] > most:
            raise FilterError(f"a filter has at most {most} {what}: too many", length)
    if _weight(made.root) > _HEAVIEST:
        raise FilterError(
            "relations of many texts, or of other relations, are too much at once: too many", length
        )


def _weight(node: Node) -> float:
    """How many questions to tables a node becomes: what a relation stands between is asked twice.

    Planning them takes time that the engine's own bound on a query's time does not end.
    """
    match node:
        case All(parts) | OneOf(parts):
            return sum(map(_weight, parts))
        case Not(part):
            return _weight(part)
        case Text():
            return 5
        case Condition(field):
            return 0 if field.place == "spans" else 1
        case Relation(sign, left, right):
            inside = _weight(left) + _weight(right)
            return 5 + 2 * inside if sign in ("<", ">") else 1 + inside


@cache
def _parser() -> Lark:
    # Made when it is first asked for: that takes a tenth of a second.
    return Lark.open(
        "filter.lark", rel_to=__file__, parser="lalr", lexer="contextual", transformer=_Builder()
    )
