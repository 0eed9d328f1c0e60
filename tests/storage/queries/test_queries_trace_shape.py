"""Self time and the critical path, against definitions that are slow and plain."""

from __future__ import annotations

from hypothesis import example, given
from hypothesis import strategies as st

from agentguard_storage.queries.critical_path import places
from tests.storage.queries.trace_shapes import span_id, trace

# Moments are few, so that intervals touch, overlap and surround each other.
moments = st.integers(0, 20)
spans = st.lists(
    st.tuples(st.none() | st.integers(0, 13), moments, moments), min_size=1, max_size=12
)


def shape(given_spans):
    """The places of spans that are given as (parent's number, start, end)."""
    return places(
        [span_id(number) for number in range(len(given_spans))],
        ["" if parent is None else span_id(parent) for parent, _, _ in given_spans],
        [start for _, start, _ in given_spans],
        [end for _, _, end in given_spans],
    )


def moments_of(start, end):
    """An interval as the moments in it."""
    return set(range(start, end))


@given(spans)
def test_self_time_is_what_no_child_covers(given_spans):
    """Moment by moment: those of a span in which none of its children ran."""
    found = shape(given_spans)
    for number, (_, start, end) in enumerate(given_spans):
        covered = set()
        for child, place in enumerate(found):
            if place.parent == number:
                covered |= moments_of(*given_spans[child][1:])
        assert found[number].self_time_ns == len(moments_of(start, end) - covered)


@given(spans)
def test_every_span_is_placed_below_its_parent_or_at_the_top(given_spans):
    """Whatever the parents are, circles and missing ones too, the places form trees."""
    found = shape(given_spans)
    for number, place in enumerate(found):
        parent = given_spans[number][0]
        if place.parent is None:
            assert place.depth == 0
            assert place.orphan == (parent is not None)
        else:
            assert place.parent == parent
            assert place.depth == found[parent].depth + 1
            assert not place.orphan
    for number, place in enumerate(found):
        assert place.child_count == sum(other.parent == number for other in found)
    missing = {number for number, (parent, _, _) in enumerate(given_spans) if parent is not None}
    cut = [
        number
        for number in missing
        if found[number].orphan and given_spans[number][0] < len(given_spans)
    ]
    for number in cut:
        # A parent that is there is left only where that ends a circle.
        at, seen = given_spans[number][0], set()
        while at is not None and at not in seen and at != number:
            seen.add(at)
            at = given_spans[at][0] if at < len(given_spans) else None
        assert at == number


@given(spans)
def test_the_critical_path_covers_the_roots_without_a_gap(given_spans):
    """Each moment of the only root is some span's on the path, and no moment is two spans'."""
    only_root = [(None, 0, 25), *[(parent or 0, s, e) for parent, s, e in given_spans]]
    found = shape(only_root)
    assert sum(place.critical_time_ns for place in found) == 25
    assert found[0].critical
    for place in found:
        assert place.critical or place.critical_time_ns == 0
        if place.critical and place.parent is not None:
            assert found[place.parent].critical


def backwards(given_spans, found, number, window):
    """The path below a span by its definition: the last that finished before each moment."""
    first, reached = window
    path = {number}
    children = [child for child, place in enumerate(found) if place.parent == number]
    while True:
        ended = []
        for child in children:
            _, start, end = given_spans[child]
            start, end = max(start, first), min(end, window[1])
            if start <= end <= reached:
                ended.append((-end, start, child))
        if not ended:
            return path
        minus_end, start, child = min(ended)
        children.remove(child)
        path |= backwards(given_spans, found, child, (start, -minus_end))
        reached = start


@given(spans)
@example([(0, 0, 20), (0, 5, 20), (0, 5, 5), (0, 0, 5)])
def test_the_critical_path_is_of_the_last_that_finished(given_spans):
    """From the root's end back: always the child that finished last before the moment reached."""
    only_root = [(None, 0, 25), *[(parent or 0, s, e) for parent, s, e in given_spans]]
    found = shape(only_root)
    expected = backwards(only_root, found, 0, (0, 25))
    assert {number for number, place in enumerate(found) if place.critical} == expected


def test_a_fork_waits_for_its_slowest_branch():
    """Of calls at the same time the longest is critical, and what came before it."""
    found = trace(
        [
            {"end": 100},
            {"parent": 0, "start": 0, "end": 10},
            {"parent": 0, "start": 10, "end": 40},
            {"parent": 0, "start": 10, "end": 90},
            {"parent": 3, "start": 20, "end": 80},
        ]
    )
    assert found.critical_path == [span_id(n) for n in (0, 1, 3, 4)]
    by_id = {span.span_id: span for span in found.spans}
    assert [by_id[span_id(n)].critical_time_ns for n in range(5)] == [10, 10, 0, 20, 60]
    assert [by_id[span_id(n)].self_time_ns for n in range(5)] == [10, 10, 30, 20, 60]


def test_an_orphan_is_off_the_path_beside_a_root():
    """Nothing is known to have waited for a span whose parent is missing."""
    found = trace([{"end": 10}, {"parent": 99, "start": 5, "end": 50}])
    assert found.critical_path == [span_id(0)]
    assert not found.complete
    assert trace([{"parent": 99, "start": 5, "end": 50}]).critical_path == [span_id(0)]


def test_ten_thousand_levels_are_placed():
    """Depth is no matter of the interpreter's stack, nor is a circle of so many spans."""
    chain = [(number - 1 if number else None, number, 20_000 - number) for number in range(10_000)]
    found = shape(chain)
    assert found[-1].depth == 9_999
    assert all(place.critical for place in found)
    circle = [(9_999, 0, 1), *chain[1:]]
    assert max(place.depth for place in shape(circle)) == 9_999
