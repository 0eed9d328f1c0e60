"""The tree of a trace, for whatever shape the spans arrive in."""

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from agentguard.cli.tree import trace_tree
from tests.storage.queries.trace_shapes import trace


def shown(parents: list[int | None]) -> list[str]:
    """The lines of the tree of spans below these, in a terminal of 120 columns."""
    found = trace(
        {"parent": parent, "name": f"step-{number}."} for number, parent in enumerate(parents)
    )
    console = Console(width=120)
    with console.capture() as capture:
        console.print(trace_tree(found))
    return capture.get().splitlines()


parents = st.lists(st.none() | st.integers(0, 30), min_size=1, max_size=25)


@given(parents)
def test_every_span_is_shown_exactly_once(given_parents):
    """Orphans, circles and spans that are their own parent are all there, and only once."""
    lines = shown(given_parents)
    assert len(lines) == len(given_parents) + 1
    for number in range(len(given_parents)):
        assert sum(f"step-{number}." in line.split() for line in lines) == 1


def test_an_orphan_is_marked():
    """A span whose parent is missing says so; one below a parent does not."""
    lines = shown([None, 0, 99])
    assert ["has not arrived" in line for line in lines] == [False, False, False, True]


def test_depth_does_not_run_off_the_screen():
    """Each span of a very deep chain has its line, in order, with its level where it is deep."""
    depth = 2000
    lines = shown([number - 1 if number else None for number in range(depth)])
    assert [line.split()[-3] for line in lines[1:]] == [f"step-{n}." for n in range(depth)]
    assert "level 2000" in lines[-1]
