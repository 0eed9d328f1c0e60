"""Two traces compared: which steps are the same, which differ and how."""

from __future__ import annotations

import json
import time
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from agentguard_storage.queries.alignment import align, common
from agentguard_storage.queries.difference import compare, compare_traces
from tests.storage.queries.trace_shapes import span_id, trace
from tests.storage.telemetry.telemetry_store import make_span, request_of

words = st.lists(st.sampled_from("abc"), max_size=8)


def longest(left, right):
    """How long the longest common subsequence is, by its definition."""
    if not left or not right:
        return 0
    if left[0] == right[0]:
        return 1 + longest(left[1:], right[1:])
    return max(longest(left[1:], right), longest(left, right[1:]))


@given(words, words)
def test_a_longest_common_subsequence_is_found(left, right):
    """The pairs are equal, in order, and as many as there can be."""
    pairs = common(left, right, str)
    assert all(left[one] == right[other] for one, other in pairs)
    assert pairs == sorted(set(pairs))
    for side in zip(*pairs, strict=True):
        assert len(set(side)) == len(side)
    assert len(pairs) == longest(left, right)


def test_long_lists_of_siblings_are_paired_quickly():
    """Thousands of siblings that differ in the beginning and at the end are paired by order."""
    left = ["a", *(f"x{n % 50}" for n in range(5_000)), "b"]
    right = ["c", *(f"x{n % 50}" for n in range(25, 5_025)), "d"]
    begun = time.process_time()
    pairs = common(left, right, str)
    assert time.process_time() - begun < 2
    assert len(pairs) > 4_900
    assert pairs == sorted(set(pairs))
    assert all(left[one] == right[other] for one, other in pairs)


shapes = st.lists(
    st.tuples(st.none() | st.integers(0, 8), st.sampled_from("abc")), min_size=1, max_size=9
)


def made(shape):
    """A trace of spans that are given as (parent's number, name), one after the other."""
    return trace(
        {"parent": parent, "name": name, "start": number, "end": number + 1}
        for number, (parent, name) in enumerate(shape)
    )


@given(shapes, shapes)
def test_every_span_is_paired_or_without_counterpart(first, second):
    """Each span of either trace is told of exactly once, and pairs lie below pairs."""
    one, other = made(first), made(second)
    aligned = align(one, other)
    firsts = [a.span.span_id for a, _ in aligned.pairs]
    seconds = [b.span.span_id for _, b in aligned.pairs]
    alone = [each.span.span_id for each in aligned.only_first]
    assert sorted(firsts + alone) == sorted(span.span_id for span in one.spans)
    alone = [each.span.span_id for each in aligned.only_second]
    assert sorted(seconds + alone) == sorted(span.span_id for span in other.spans)
    paired = set(zip(firsts, seconds, strict=True))
    for a, b in aligned.pairs:
        assert (a.span.kind, a.span.name) == (b.span.kind, b.span.name)
        assert a.span.depth == b.span.depth
        if a.span.depth:
            assert (a.span.parent_span_id, b.span.parent_span_id) in paired


@given(shapes)
def test_a_trace_does_not_differ_from_itself(shape):
    """Every step is equal, and the summary says so."""
    found = compare_traces(made(shape), made(shape))
    assert (found.equal_count, found.changed_count) == (len(shape), 0)
    assert (found.added, found.removed, found.divergence) == ([], [], None)
    assert found.summary == "Both traces took the same steps, with the same results."


@given(shapes, shapes)
def test_differences_are_the_same_in_both_directions_of_reading(first, second):
    """What one comparison adds the other removes, in number."""
    there, back = (
        compare_traces(made(first), made(second)),
        compare_traces(made(second), made(first)),
    )
    assert there.first == back.second
    assert there.added_count - there.removed_count == back.removed_count - back.added_count
    assert (there.divergence is None) == (back.divergence is None)


def test_equal_calls_are_the_same_step():
    """A call that is left out is told, and those after it are not taken for it."""
    calls = [{"kind": "tool", "tool": "search", "call_hash": f"{n}"} for n in range(3)]
    first = trace([{"end": 9}, *({"parent": 0, "start": n + 1} | c for n, c in enumerate(calls))])
    second = trace([{"end": 9}, *({"parent": 0, "start": n + 1} | calls[n] for n in (0, 2))])
    found = compare_traces(first, second)
    assert (found.equal_count, found.changed_count, found.added_count) == (3, 0, 0)
    [gone] = found.removed
    assert (gone.span_id, gone.path) == (
        span_id(2),
        "other step-0000000000000000. > tool search[1]",
    )
    assert found.divergence == gone.path


def test_all_that_changed_is_named():
    """Status, model, tokens, cost, what went in and what came out, and where it began."""
    root = {"kind": "agent", "name": "planner", "end": 100}
    before = {"kind": "llm", "name": "chat", "parent": 0, "start": 10, "end": 20}
    one = before | {"model": "gpt-4o", "input_tokens": 5, "cost": Decimal(2)}
    other = before | {"model": "gpt-4o-mini", "input_tokens": 7, "cost": Decimal(1), "end": 60}
    other |= {"status": "error", "status_message": "no"}
    one |= {"attributes": {"input.value": "same\nold", "output.value": "yes"}}
    other |= {"attributes": {"input.value": "same\nnew"}}
    found = compare_traces(trace([root, one]), trace([root | {"status": "error"}, other]))
    told = {change.name: change for change in found.changed}
    assert told["planner"].changes == ["status"]
    chat = told["chat"]
    assert chat.changes == ["status", "model", "tokens", "cost", "input", "output"]
    assert chat.input.diff.splitlines()[1:] == [" text: same", "-text: old", "+text: new"]
    assert chat.output.diff.splitlines()[1:] == ["-text: yes"]
    assert (chat.first.duration_ns, chat.second.duration_ns) == (10, 50)
    assert found.divergence == "agent planner > llm chat"
    assert found.summary.startswith("They first part ways at agent planner > llm chat")
    assert found.summary.endswith("The second cost $1.000000 less.")


def test_long_texts_and_lists_are_bounded():
    """A difference of thousands of lines, or spans, is told in part and counted whole."""
    texts = [{"input.value": "\n".join(f"{w} {n}" * 100 for n in range(5_000))} for w in "ab"]
    found = compare_traces(*(trace([{"attributes": text}]) for text in texts))
    assert found.changed[0].input.is_cut
    assert len(found.changed[0].input.diff) < 40 * 400
    many = trace([{"end": 9}, *({"parent": 0, "name": f"n{n}"} for n in range(3_000))])
    found = compare_traces(trace([{"end": 9}]), many, most=10)
    assert (found.added_count, len(found.added)) == (3_000, 10)


def test_two_traces_of_the_store_are_compared(store, project):
    """Contents and all; None where one of them is not there."""
    ids = [b"1" * 16, b"2" * 16]
    spans = []
    for trace_id, city in zip(ids, ("Berlin", "Paris"), strict=True):
        said = {
            "gen_ai.operation.name": "execute_tool",
            "gen_ai.tool.name": "weather",
            "gen_ai.tool.call.arguments": json.dumps({"city": city}),
        }
        spans.append(make_span(said, name="execute_tool weather", trace_id=trace_id))
    store.insert([request_of(*spans)], project=project)
    reader = store.reader(project)
    found = compare(reader, ids[0].hex(), ids[1].hex())
    [change] = found.changed
    assert change.changes == ["input"]
    assert 'weather: {"city": "Paris"}' in change.input.diff
    assert compare(reader, ids[0].hex(), "f" * 32) is None
    assert compare(store.reader("prj_nobody"), ids[0].hex(), ids[1].hex()) is None
