"""Which span of one trace is which of another: two trees laid over each other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from agentguard_storage.queries.span_rows import SpanRow
from agentguard_storage.queries.trace import Trace

__all__ = ["Alignment", "Placed", "align", "common"]

T = TypeVar("T")

# So many comparisons are made for one list of siblings: longer ones are paired by their order.
_CELLS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Placed:
    """A span, and its logical path: the labels of its ancestors and itself, with their ordinals."""

    span: SpanRow
    path: str


@dataclass(frozen=True, slots=True)
class Alignment:
    """Pairs of spans that are the same step, and those without a counterpart, parents first."""

    pairs: list[tuple[Placed, Placed]]
    only_first: list[Placed]
    only_second: list[Placed]


def align(first: Trace, second: Trace) -> Alignment:
    """Lay two traces over each other.

    Two spans are the same step where their parents are, and they are at one place of a longest
    common subsequence of their siblings: of equal calls before all, and between those, of spans
    with equal kind and name. Below a span without counterpart, nothing has one.
    """
    below_first, below_second = _children(first), _children(second)
    found = Alignment([], [], [])
    waiting = [("", below_first.pop(None, []), below_second.pop(None, []))]
    while waiting:
        path, ones, others = waiting.pop()
        placed = _placed(path, ones), _placed(path, others)
        matched = _matched([one.span for one in placed[0]], [one.span for one in placed[1]])
        for here, there in matched:
            one, other = placed[0][here], placed[1][there]
            found.pairs.append((one, other))
            ones_below = below_first.pop(one.span.span_id, [])
            waiting.append((one.path, ones_below, below_second.pop(other.span.span_id, [])))
        for alone, kept, below, side in (
            (placed[0], {here for here, _ in matched}, below_first, found.only_first),
            (placed[1], {there for _, there in matched}, below_second, found.only_second),
        ):
            missing = [one for number, one in enumerate(alone) if number not in kept]
            side.extend(_with_all_below(missing, below))
    return found


def _children(trace: Trace) -> defaultdict[str | None, list[SpanRow]]:
    found: defaultdict[str | None, list[SpanRow]] = defaultdict(list)
    for span in trace.spans:
        found[span.parent_span_id if span.depth else None].append(span)
    return found


def _label(span: SpanRow) -> tuple[str, str]:
    return span.kind, span.tool or span.name


def _placed(path: str, spans: Sequence[SpanRow]) -> list[Placed]:
    counts: dict[tuple[str, str], int] = defaultdict(int)
    found = []
    for span in spans:
        label = _label(span)
        ordinal = counts[label]
        counts[label] += 1
        step = f"{span.kind} {label[1]}" + (f"[{ordinal}]" if ordinal else "")
        found.append(Placed(span, f"{path} > {step}" if path else step))
    return found


def _with_all_below(
    missing: list[Placed], below: defaultdict[str | None, list[SpanRow]]
) -> list[Placed]:
    found = []
    waiting = missing[::-1]
    while waiting:
        one = waiting.pop()
        found.append(one)
        waiting.extend(reversed(_placed(one.path, below.pop(one.span.span_id, []))))
    return found


def _matched(ones: list[SpanRow], others: list[SpanRow]) -> list[tuple[int, int]]:
    equal = common(ones, others, lambda span: (*_label(span), span.call_hash or None))
    found: list[tuple[int, int]] = []
    here = there = 0
    for to_here, to_there in [*equal, (len(ones), len(others))]:
        between = common(ones[here:to_here], others[there:to_there], _label)
        found.extend((here + one, there + other) for one, other in between)
        if to_here < len(ones) and to_there < len(others):
            found.append((to_here, to_there))
        here, there = to_here + 1, to_there + 1
    return found


def common(
    ones: Sequence[T], others: Sequence[T], key: Callable[[T], Hashable]
) -> list[tuple[int, int]]:
    """Return the positions of a longest common subsequence, in order.

    Of lists that are too long for that, the n-th of each key is paired with the n-th, as far as
    their order allows.
    """
    left, right = [key(one) for one in ones], [key(other) for other in others]
    start = 0
    while start < min(len(left), len(right)) and left[start] == right[start]:
        start += 1
    end = 0
    while end < min(len(left), len(right)) - start and left[-1 - end] == right[-1 - end]:
        end += 1
    inner_left, inner_right = left[start : len(left) - end], right[start : len(right) - end]
    few = len(inner_left) * len(inner_right) <= _CELLS
    inner = _longest(inner_left, inner_right) if few else _in_turn(inner_left, inner_right)
    head = [(number, number) for number in range(start)]
    tail = [(len(left) - number, len(right) - number) for number in range(end, 0, -1)]
    return head + [(start + one, start + other) for one, other in inner] + tail


def _longest(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    width = len(right) + 1
    # lengths[i][j]: of the longest common subsequence of left[i:] and right[j:].
    lengths = [[0] * width]
    for one in reversed(left):
        below, row = lengths[-1], [0] * width
        for at in range(width - 2, -1, -1):
            row[at] = below[at + 1] + 1 if one == right[at] else max(below[at], row[at + 1])
        lengths.append(row)
    lengths.reverse()
    found, here, there = [], 0, 0
    while here < len(left) and there < len(right):
        if left[here] == right[there]:
            found.append((here, there))
            here, there = here + 1, there + 1
        elif lengths[here + 1][there] >= lengths[here][there + 1]:
            here += 1
        else:
            there += 1
    return found


def _in_turn(left: Sequence[Hashable], right: Sequence[Hashable]) -> list[tuple[int, int]]:
    places: dict[Hashable, list[int]] = defaultdict(list)
    for there in range(len(right) - 1, -1, -1):
        places[right[there]].append(there)
    found, after = [], -1
    for here, one in enumerate(left):
        waiting = places[one]
        while waiting and waiting[-1] <= after:
            waiting.pop()
        if waiting:
            after = waiting.pop()
            found.append((here, after))
    return found
