"""The tree of a trace, for whatever shape the spans arrive in."""

from dataclasses import fields

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agentguard.cli.tree import trace_tree
from agentguard_storage.queries.traces import SpanRow


def span(number: int, parent: int | None) -> SpanRow:
    """A span with the id `number` below `parent`, everything else as empty as it may be."""
    numbers = {"int": 0, "int | None": 0}
    empty = {
        row.name: numbers.get(str(getattr(row.type, "__name__", row.type)), "")
        for row in fields(SpanRow)
    }
    given = {
        "trace_id": "a" * 32,
        "span_id": f"{number:016x}",
        "parent_span_id": "" if parent is None else f"{parent:016x}",
        "name": f"step-{number}.",
        "kind": "other",
        "status": "unset",
        "cost": None,
        "attributes": {},
        "events": [],
    }
    return SpanRow(**{**empty, **given})


def shown(spans: list[SpanRow]) -> list[str]:
    """The lines of the tree in a terminal of 120 columns."""
    console = Console(width=120)
    with console.capture() as capture:
        console.print(trace_tree(spans))
    return capture.get().splitlines()


parents = st.lists(st.none() | st.integers(0, 30), min_size=1, max_size=25)


@given(parents)
def test_every_span_is_shown_exactly_once(given_parents):
    """Orphans, circles and spans that are their own parent are all there, and only once."""
    spans = [span(number, parent) for number, parent in enumerate(given_parents)]
    lines = shown(spans)
    assert len(lines) == len(spans) + 1
    for one in spans:
        assert sum(one.name in line.split() for line in lines) == 1


def test_an_orphan_is_marked():
    """A span whose parent is missing says so; one below a parent does not."""
    lines = shown([span(1, None), span(2, 1), span(3, 99)])
    assert ["has not arrived" in line for line in lines] == [False, False, False, True]


def test_depth_does_not_run_off_the_screen():
    """Each span of a very deep chain has its line, in order, with its level where it is deep."""
    depth = 2000
    lines = shown([span(number, number - 1 if number else None) for number in range(depth)])
    assert [line.split()[-3] for line in lines[1:]] == [f"step-{n}." for n in range(depth)]
    assert "level 2000" in lines[-1]
