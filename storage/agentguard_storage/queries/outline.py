"""A trace as a tree of text that fits: for models, whose context is small, and for terminals.

The most important lines come first into the budget: stops and errors, then what cost or took most.
They are shown in the order in which things happened. Siblings that repeat are one line.
"""

from __future__ import annotations

import heapq
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Final

from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.measures import amount
from agentguard_storage.queries.outline_lines import Totals, headline, line, more_line
from agentguard_storage.queries.span_rows import SpanRow
from agentguard_storage.queries.trace import Trace

__all__ = ["FEWEST_CHARACTERS", "Outline", "OutlineMore", "outline"]

FEWEST_CHARACTERS: Final = 1_000
_REPEATED: Final = 4
"""So many siblings of one kind and name are one line."""
_CURSOR: Final = re.compile(r"([0-9a-f]{0,16})(\*?):([0-9]{1,7})")


@dataclass(frozen=True, slots=True)
class OutlineMore:
    """What an outline leaves out at one place: ask again with its cursor to see it."""

    cursor: str
    spans: int
    errors: int
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Outline:
    """Lines of text, no longer than was asked for; `more` has what they leave out, by place.

    `shown_spans` counts the spans that have a line, or are counted in one.
    """

    text: str
    shown_spans: int
    more: list[OutlineMore]


@dataclass(slots=True)
class _Item:
    """A line that may be shown: a span, or siblings that repeat."""

    spans: list[SpanRow]
    order: int
    total: Totals
    level: int
    parent: _Item | None
    cursor: str
    """Of what is below it; ends in the colon before the number of those that are shown."""
    is_member: bool = False
    below: list[_Item] = field(default_factory=list)
    shown: list[_Item] = field(default_factory=list)
    skipped: int = 0

    @property
    def is_group(self) -> bool:
        return len(self.spans) > 1


def outline(
    trace: Trace,
    *,
    characters: int = 8_000,
    depth: int | None = None,
    span_id: str | None = None,
    cursor: str | None = None,
) -> Outline:
    """Return a trace, or what is below one of its spans, in at most so many characters.

    At most `depth` levels are shown. `cursor` is one of `OutlineMore`, and goes on there. A trace
    that was read without contents is enough. Raises InvalidQuery for a budget below
    FEWEST_CHARACTERS, an unknown span, or a cursor of another trace.
    """
    if characters < FEWEST_CHARACTERS:
        raise InvalidQuery(
            f"an outline needs {FEWEST_CHARACTERS} characters at least", where="characters"
        )
    if depth is not None and depth < 1:
        raise InvalidQuery("an outline has one level at least", where="depth")
    tree = _Tree(trace)
    top = tree.top(span_id, cursor)
    head = "" if cursor else headline(trace)
    _fill(tree, top, characters - len(head) - 1, depth)
    return _written(top, head)


class _Tree:
    def __init__(self, trace: Trace) -> None:
        self.children: dict[str, list[SpanRow]] = defaultdict(list)
        self.span: dict[str, SpanRow] = {}
        for span in trace.spans:
            self.span.setdefault(span.span_id, span)
            self.children[span.parent_span_id if span.depth else ""].append(span)
        self.position = {id(span): number for number, span in enumerate(trace.spans)}
        self.total = {id(span): Totals.of(span) for span in trace.spans}
        for span in sorted(trace.spans, key=lambda each: -each.depth):
            if span.depth:
                above = self.span[span.parent_span_id]
                self.total[id(above)].add(self.total[id(span)])
        self.whole = Totals()
        for span in self.children[""]:
            self.whole.add(self.total[id(span)])
        self.took = max(trace.duration_ns, 1)

    def top(self, span_id: str | None, cursor: str | None) -> _Item:
        """What surrounds the lines that are asked for, with the lines that may be shown."""
        if cursor is None:
            spans = self.children[""] if span_id is None else [self._known(span_id, "span_id")]
            found = _Item([], 0, Totals(), 0, None, f"{span_id or ''}:")
            found.below = self._items(spans, found)
            return found
        match = _CURSOR.fullmatch(cursor)
        if match is None:
            raise InvalidQuery("this is no cursor of an outline", where="cursor")
        where, star, skipped = match[1], match[2], int(match[3])
        found = _Item([], 0, Totals(), 0, None, f"{where}{star}:", skipped=skipped)
        if not star:
            below = self.children[self._known(where, "cursor").span_id if where else ""]
            found.below = self._items(below, found)[skipped:]
        else:
            first = self._known(where, "cursor")
            siblings = self.children[first.parent_span_id if first.depth else ""]
            alike = [span for span in siblings if _label(span) == _label(first)]
            found.below = self._members(alike, found)[skipped:]
        return found

    def _known(self, span_id: str, where: str) -> SpanRow:
        try:
            return self.span[span_id]
        except KeyError:
            raise InvalidQuery("this trace has no such span", where=where) from None

    def below(self, item: _Item) -> list[_Item]:
        if item.is_group:
            return self._members(item.spans, item)
        # Of spans with the same id, the first has the children.
        span = item.spans[0]
        own = self.span[span.span_id] is span
        return self._items(self.children[span.span_id], item) if own else []

    def _items(self, spans: Sequence[SpanRow], parent: _Item) -> list[_Item]:
        groups: dict[tuple[str, str], list[SpanRow]] = defaultdict(list)
        for span in spans:
            groups[_label(span)].append(span)
        found = []
        for alike in groups.values():
            if len(alike) >= _REPEATED:
                found.append(self._item(alike, parent, f"{alike[0].span_id}*:"))
            else:
                found.extend(self._item([span], parent, f"{span.span_id}:") for span in alike)
        return sorted(found, key=self.rank)

    def _members(self, spans: Sequence[SpanRow], parent: _Item) -> list[_Item]:
        found = [self._item([span], parent, f"{span.span_id}:") for span in spans]
        for each in found:
            each.is_member = True
        return sorted(found, key=self.rank)

    def _item(self, spans: list[SpanRow], parent: _Item, cursor: str) -> _Item:
        total = Totals()
        for span in spans:
            total.add(self.total[id(span)])
        order = self.position[id(spans[0])]
        return _Item(spans, order, total, parent.level + 1, parent, cursor)

    def rank(self, item: _Item) -> tuple[bool, float, int]:
        """Sorts by importance; what a group sums up already comes last."""
        score = 0.0
        if any(span.kind == "guard" or span.guard for span in item.spans):
            score += 4
        score += 2 * bool(item.total.errors)
        if self.whole.cost:
            score += float(item.total.cost / self.whole.cost)
        score += min(sum(span.duration_ns for span in item.spans) / self.took, 1)
        return item.is_member, -score, item.order


def _label(span: SpanRow) -> tuple[str, str]:
    return span.kind, span.tool or span.name


def _fill(tree: _Tree, top: _Item, room: int, depth: int | None) -> None:
    """Mark what is shown, the most important first: an item only after its parent."""
    waiting = [(tree.rank(item), number, item) for number, item in enumerate(top.below)]
    heapq.heapify(waiting)
    number = len(waiting)
    room -= _longest(top)
    while waiting:
        _, _, item = heapq.heappop(waiting)
        below = tree.below(item)
        needed = len(line(item.spans, item.total, item.level)) + 1
        if below:
            # Room for saying that there is more below.
            needed += _longest(item)
        if needed > room:
            break
        room -= needed
        item.below = below
        if item.parent is not None:
            item.parent.shown.append(item)
        if depth is None or item.level < depth:
            for each in below:
                number += 1
                heapq.heappush(waiting, (tree.rank(each), number, each))


def _written(top: _Item, head: str) -> Outline:
    lines = [head] if head else []
    more: list[OutlineMore] = []
    shown = 0
    waiting = [(top, False)]
    while waiting:
        item, is_done = waiting.pop()
        if is_done:
            if len(item.shown) < len(item.below):
                more.append(_left(item))
                lines.append(_told(item.level + 1, more[-1]))
            continue
        if item.spans:
            lines.append(line(item.spans, item.total, item.level))
            shown += 0 if item.is_member else len(item.spans)
        waiting.append((item, True))
        in_order = sorted(item.shown, key=lambda each: each.order)
        waiting.extend((each, False) for each in reversed(in_order))
    return Outline("\n".join(lines), shown, more)


def _left(item: _Item) -> OutlineMore:
    """What is below it and not shown: the least important, so that a number says which."""
    total = Totals()
    for each in item.below[len(item.shown) :]:
        total.add(each.total)
    cursor = f"{item.cursor}{item.skipped + len(item.shown)}"
    return OutlineMore(cursor, total.spans, total.errors, amount(total.cost, total.unpriced))


def _told(level: int, left: OutlineMore) -> str:
    return more_line(level, left.cursor, left.spans, left.errors, left.cost)


def _longest(item: _Item) -> int:
    """How long the line can be that says what is left out below an item."""
    number = 10**7
    return len(more_line(item.level + 1, f"{item.cursor}{number}", number, number, _DEAREST)) + 1


_DEAREST: Final = Decimal("1234567.89")
