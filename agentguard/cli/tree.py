"""One trace as a tree in the terminal."""

from collections import defaultdict
from decimal import Decimal
from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from agentguard.cli.figures import cost, elapsed
from agentguard.cli.terminal import clean, plain

if TYPE_CHECKING:
    from agentguard_storage.queries.traces import SpanRow

__all__ = ["trace_tree"]

DEEPEST = 12

_KIND_STYLES = {
    "llm": "magenta",
    "tool": "cyan",
    "agent": "bold blue",
    "workflow": "bold",
    "retrieval": "yellow",
    "embedding": "yellow",
    "guard": "bold red",
}


def trace_tree(spans: "list[SpanRow]") -> Tree:
    """All spans below their parents, in order of start.

    A span whose parent is not there is shown at the top and marked as an orphan, and so is one
    span of every circle, so that each span given appears exactly once. Below DEEPEST levels the
    indentation ends and the level is written out.
    """
    tree = Tree(_headline(spans), guide_style="dim")
    present = {span.span_id for span in spans}
    children: dict[str, list[SpanRow]] = defaultdict(list)
    tops: list[SpanRow] = []
    for span in spans:
        (children[span.parent_span_id] if span.parent_span_id in present else tops).append(span)
    shown: set[str] = set()
    for top in tops:
        _grow(tree, top, children, shown)
    for span in spans:
        if span.span_id not in shown:
            _grow(tree, span, children, shown, orphan=True)
    return tree


def _grow(
    tree: Tree,
    top: "SpanRow",
    children: "dict[str, list[SpanRow]]",
    shown: set[str],
    *,
    orphan: bool = False,
) -> None:
    # Depth is up to whoever sent the spans: neither our stack nor the screen may run out of it.
    waiting = [(tree, top, 1)]
    while waiting:
        parent, span, depth = waiting.pop()
        if span.span_id in shown:
            continue
        shown.add(span.span_id)
        astray = span is top and (orphan or bool(span.parent_span_id))
        branch = parent.add(_line(span, orphan=astray, depth=depth))
        below = branch if depth < DEEPEST else parent
        waiting.extend((below, child, depth + 1) for child in reversed(children[span.span_id]))


def _headline(spans: "list[SpanRow]") -> Text:
    start = min(span.start_time_ns for span in spans)
    end = max(span.end_time_ns for span in spans)
    line = Text.assemble(("trace ", "bold"), spans[0].trace_id, f"  {elapsed(end - start)}")
    line.append(f"  {len(spans)} spans")
    costs = [span.cost for span in spans if span.cost is not None]
    unpriced = sum(span.cost_source == "unpriced" for span in spans)
    if costs or unpriced:
        line.append("  ").append_text(cost(sum(costs, Decimal()) if costs else None, unpriced))
    return line


def _line(span: "SpanRow", *, orphan: bool, depth: int) -> Text:
    line = Text.assemble(
        (f"level {depth} " if depth > DEEPEST else "", "dim"),
        (f"{span.kind:<9}", _KIND_STYLES.get(span.kind, "dim")),
        " ",
        plain(span.name or "(no name)", "bold"),
        (f"  {elapsed(span.end_time_ns - span.start_time_ns)}", "dim"),
    )
    if span.model and span.model not in span.name:
        line.append("  ").append_text(plain(span.model, "italic"))
    tokens = _tokens(span)
    if tokens:
        line.append(f"  {tokens}", "dim")
    if span.cost is not None or span.cost_source == "unpriced":
        line.append("  ").append_text(cost(span.cost, int(span.cost_source == "unpriced")))
    if orphan:
        line.append("  (its parent has not arrived)", "yellow")
    if span.status == "error":
        line.append(f"  error: {clean(span.status_message)}".rstrip(": "), "red")
    return line


def _tokens(span: "SpanRow") -> str:
    """The five disjoint counts, those that are not zero."""
    parts = (
        ("in", span.input_tokens),
        ("cache read", span.cache_read_tokens),
        ("cache write", span.cache_write_tokens),
        ("out", span.output_tokens),
        ("reasoning", span.reasoning_tokens),
    )
    shown = [f"{number:,} {label}" for label, number in parts if number]
    return f"{' + '.join(shown)} tokens" if shown else ""
