"""The shape of a trace: who is below whom, whose time is whose, and what its end waited for."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["Place", "places"]

Interval = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a span stands in its trace; times in nanoseconds.

    `parent` is the position of its parent, None at the top. `self_time_ns` is the part of its
    duration in which no child ran. `critical` says that the trace's end waited for it, and
    `critical_time_ns` is how long, without the time in which it waited for its children.
    """

    parent: int | None
    depth: int
    child_count: int
    orphan: bool
    self_time_ns: int
    critical: bool
    critical_time_ns: int


def places(
    ids: Sequence[str], parents: Sequence[str], starts: Sequence[int], ends: Sequence[int]
) -> list[Place]:
    """Return the place of each span; the four sequences are of the same spans, in any order.

    A span is an orphan whose parent is not there; it stands at the top, as one span of every circle
    does. Of spans with the same id, the first has the children. O(n log n), however deep.
    """
    tree = _Tree(ids, parents, starts)
    critical = _critical(tree, starts, ends)
    return [
        Place(
            parent=tree.parent[one],
            depth=tree.depth[one],
            child_count=len(tree.children[one]),
            orphan=tree.orphan[one],
            self_time_ns=_self_time(one, tree, starts, ends),
            critical=one in critical,
            critical_time_ns=critical.get(one, 0),
        )
        for one in range(len(ids))
    ]


class _Tree:
    """Positions of parents and children, without circles; depths begin at 0."""

    def __init__(self, ids: Sequence[str], parents: Sequence[str], starts: Sequence[int]) -> None:
        order = sorted(range(len(ids)), key=lambda one: (starts[one], ids[one]))
        known: dict[str, int] = {}
        for one in order:
            known.setdefault(ids[one], one)
        self.parent: list[int | None] = [
            known.get(parent) if parent else None for parent in parents
        ]
        self.children: dict[int, list[int]] = defaultdict(list)
        for one in order:
            above = self.parent[one]
            if above is not None:
                self.children[above].append(one)
        self.depth = [-1] * len(ids)
        self.tops = [one for one in order if self.parent[one] is None]
        for top in self.tops:
            self._descend(top)
        for one in order:
            if self.depth[one] < 0:
                self._cut(one)
        self.orphan = [
            above is None and parents[one] != "" for one, above in enumerate(self.parent)
        ]

    def _cut(self, below: int) -> None:
        """Put a span of the circle that `below` hangs on at the top, with all that is below it."""
        seen: dict[int, None] = {}
        one: int | None = below
        while one is not None and one not in seen:
            seen[one] = None
            one = self.parent[one]
        if one is None:
            raise AssertionError("a span below a top has been reached from there")
        above = self.parent[one]
        if above is not None:
            self.children[above].remove(one)
        self.parent[one] = None
        self.tops.append(one)
        self._descend(one)

    def _descend(self, top: int) -> None:
        self.depth[top] = 0
        waiting = [top]
        while waiting:
            one = waiting.pop()
            for child in self.children[one]:
                self.depth[child] = self.depth[one] + 1
            waiting.extend(reversed(self.children[one]))


def _self_time(one: int, tree: _Tree, starts: Sequence[int], ends: Sequence[int]) -> int:
    start, end = starts[one], ends[one]
    covered, reached = 0, start
    # Children come by their start, so that one pass makes the union of their intervals.
    for child in tree.children[one]:
        first, last = max(starts[child], reached), min(ends[child], end)
        if last > first:
            covered += last - first
            reached = last
    return max(end - start, 0) - covered


def _critical(tree: _Tree, starts: Sequence[int], ends: Sequence[int]) -> dict[int, int]:
    """Return the spans on the critical path, and how much time of it is their own.

    Backwards from the end: before each moment, the child that finished last is what its parent
    waited for. That is the path of CRISP (Zhang et al., USENIX ATC 2022, "CRISP: Critical Path
    Analysis of Large-Scale Microservice Architectures",
    https://www.usenix.org/conference/atc22/presentation/zhang-zhizhou), which Jaeger draws too
    (https://www.jaegertracing.io/docs/latest/architecture/). As there, the part of a child outside
    its parent is left out. Spans at the top are treated as children of one that surrounds them; an
    orphan is off the path where there is a root, since what waited for it is not known.
    """
    roots = [one for one in tree.tops if not tree.orphan[one]] or tree.tops
    if not roots:
        return {}
    found: dict[int, int] = {}
    whole = (min(starts[one] for one in roots), max(ends[one] for one in roots))
    waiting = _waited_for(roots, whole, starts, ends)[0]
    while waiting:
        one, window = waiting.pop()
        below, own = _waited_for(tree.children[one], window, starts, ends)
        found[one] = own
        waiting.extend(below)
    return found


def _waited_for(
    spans: Sequence[int], window: Interval, starts: Sequence[int], ends: Sequence[int]
) -> tuple[list[tuple[int, Interval]], int]:
    """Return what `window` waited for, each with its part of it, and the time that is left."""
    first, reached = window
    found: list[tuple[int, Interval]] = []
    own = max(reached - first, 0)
    clipped = [(-min(ends[one], reached), max(starts[one], first), one) for one in spans]
    for minus_end, start, one in sorted(clipped):
        end = -minus_end
        if start <= end <= reached:
            found.append((one, (start, end)))
            own -= end - start
            reached = start
    return found, own
