"""The outline of a trace: within its budget, what matters first, and nothing out of reach."""

from __future__ import annotations

import time
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.outline import FEWEST_CHARACTERS, outline
from tests.storage.queries.trace_shapes import span_id, trace

spans = st.lists(
    st.fixed_dictionaries(
        {
            "parent": st.none() | st.integers(0, 45),
            "name": st.sampled_from(["search", "chat", "x" * 300, "a\nb\x1b[31m", ""]),
            "kind": st.sampled_from(["tool", "llm", "agent", "guard"]),
            "status": st.sampled_from(["ok", "error"]),
            "status_message": st.sampled_from(["", "boom " * 100]),
            "start": st.integers(0, 50),
            "end": st.integers(0, 10**12),
            "cost": st.none() | st.decimals(0, 10, places=6),
        }
    ),
    min_size=1,
    max_size=40,
)
budgets = st.integers(FEWEST_CHARACTERS, 4_000)
depths = st.none() | st.integers(1, 4)


@given(spans, budgets, depths)
def test_an_outline_is_never_longer_than_asked(given_spans, characters, depth):
    """Whatever the names, however deep: and each line is one line, without control characters."""
    found = outline(trace(given_spans), characters=characters, depth=depth)
    assert len(found.text) <= characters
    assert all(line.isprintable() for line in found.text.split("\n"))


def named(text):
    """The ids in an outline's lines."""
    lines = [line.rsplit("[", 1)[-1].rstrip("]") for line in text.split("\n")]
    return {word for word in lines if len(word) == 16}


@settings(max_examples=30, deadline=None)
@given(spans, budgets, depths)
def test_cursors_lead_to_every_span(given_spans, characters, depth):
    """What one outline leaves out the next has: each span gets a line of its own in the end."""
    whole = trace(given_spans)
    waiting, seen, asked = [None], set(), 0
    while waiting:
        found = outline(whole, characters=characters, depth=depth, cursor=waiting.pop())
        seen |= named(found.text)
        waiting.extend(more.cursor for more in found.more)
        asked += 1
        assert asked < 500
    assert seen == {span.span_id for span in whole.spans}


@given(spans)
def test_what_is_left_out_is_counted(given_spans):
    """Of a first level, the lines and the rest add up to all spans, errors and dollars."""
    whole = trace(given_spans)
    found = outline(whole, characters=100_000)
    assert found.more == []
    assert found.shown_spans == whole.span_count
    first = outline(whole, depth=1, characters=100_000)
    tops = [span for span in whole.spans if not span.depth]
    assert first.shown_spans == len(tops)
    hidden = [more for more in first.more if "*" not in more.cursor]
    repeated = [more for more in first.more if "*" in more.cursor]
    below = whole.span_count - len(tops)
    assert below <= sum(more.spans for more in hidden) + sum(more.spans for more in repeated)


def loop():
    """An agent that searches 37 times, fails 36 times, and is stopped; and a dear model call."""
    search = {"parent": 0, "kind": "tool", "tool": "web_search", "name": "execute_tool web_search"}
    searches = [
        search | {"start": n, "end": n + 1, "status": "error" if n else "ok"} for n in range(37)
    ]
    model = {"parent": 0, "kind": "llm", "name": "chat", "model": "gpt-4o", "start": 40, "end": 41}
    guard = {"parent": 0, "kind": "guard", "name": "guard loop", "guard": "loop", "start": 42}
    return trace(
        [
            {"kind": "agent", "name": "invoke_agent researcher", "end": 50},
            *searches,
            model | {"cost": Decimal("1.5"), "input_tokens": 1_000},
            guard | {"status": "error", "status_message": "web_search again", "end": 42},
        ]
    )


def test_what_repeats_is_one_line():
    """Siblings of one kind and name are counted, their failures too, and their cursor has them."""
    found = outline(loop(), characters=1_000)
    lines = found.text.split("\n")
    [searches] = [line for line in lines if "web_search x" in line]
    assert "tool web_search x 37" in searches
    assert "36 failed" in searches
    [more] = [each for each in found.more if each.cursor.startswith(f"{span_id(1)}*")]
    again = outline(loop(), cursor=more.cursor, characters=10_000)
    assert again.text.count("tool web_search") + int(more.cursor.split(":")[1]) == 37


def test_what_matters_is_there_in_the_smallest_outline():
    """The headline, the stop, and the dear call, in the order in which they happened."""
    text = outline(loop(), characters=1_000).text
    assert text.startswith(f"trace {'a' * 32}  invoke_agent researcher")
    places = [text.index(word) for word in ("web_search x", "gpt-4o", "guard guard loop")]
    assert places == sorted(places)
    assert "$1.50" in text
    assert "ERROR web_search again" in text


def test_an_outline_begins_at_any_span():
    """What is below a span, and nothing else; unknown ones are refused, and strange cursors."""
    whole = trace([{"end": 9}, {"parent": 0}, {"parent": 1}, {"parent": 0}])
    assert named(outline(whole, span_id=span_id(1)).text) == {span_id(1), span_id(2)}
    for asked, where in (
        ({"span_id": span_id(9)}, "span_id"),
        ({"cursor": f"{span_id(9)}:0"}, "cursor"),
        ({"cursor": "*:0"}, "cursor"),
        ({"cursor": "'; DROP TABLE spans"}, "cursor"),
        ({"characters": 10}, "characters"),
        ({"depth": 0}, "depth"),
    ):
        with pytest.raises(InvalidQuery) as told:
            outline(whole, **asked)
        assert told.value.where == where


@pytest.mark.parametrize(
    "parents",
    [[None, *range(9_999)], [None, *[0] * 9_999], [None, *[n // 2 for n in range(9_999)]]],
    ids=["a chain", "a star", "a tree"],
)
def test_ten_thousand_spans_are_outlined_at_once(parents):
    """However they are shaped; this process works for two seconds at most."""
    whole = trace({"parent": parent, "name": f"n{n}"} for n, parent in enumerate(parents))
    begun = time.process_time()
    assert len(outline(whole).text) <= 8_000
    outline(whole, characters=10_000_000)
    assert time.process_time() - begun < 4
