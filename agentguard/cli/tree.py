"""One trace as a tree in the terminal."""

from collections import defaultdict
from typing import TYPE_CHECKING

from rich.text import Text
from rich.tree import Tree

from agentguard.cli.figures import cost, elapsed
from agentguard.cli.terminal import clean, plain

if TYPE_CHECKING:
    from agentguard_storage.queries.span_rows import SpanRow
    from agentguard_storage.queries.trace import Trace

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


def trace_tree(trace: "Trace") -> Tree:
    """All spans below their parents, in order of start; those on the critical path with a star.

    A span whose parent is not there is shown at the top and marked as an orphan, and so is one
    span of every circle, so that each span given appears exactly once. Below DEEPEST levels the
    indentation ends and the level is written out.
    """
    tree = Tree(_headline(trace), guide_style="dim")
    children: dict[str, list[SpanRow]] = defaultdict(list)
    for span in trace.spans:
        if span.depth:
            children[span.parent_span_id].append(span)
    # Depth is up to whoever sent the spans: neither our stack nor the screen may run out of it.
    waiting = [(tree, span) for span in reversed(trace.spans) if not span.depth]
    while waiting:
        parent, span = waiting.pop()
        branch = parent.add(_line(span))
        below = branch if span.depth < DEEPEST - 1 else parent
        waiting.extend((below, child) for child in reversed(children.pop(span.span_id, [])))
    return tree


def _headline(trace: "Trace") -> Text:
    line = Text.assemble(("trace ", "bold"), trace.trace_id, f"  {elapsed(trace.duration_ns)}")
    line.append(f"  {trace.span_count} spans")
    if trace.cost or trace.unpriced_calls:
        line.append("  ").append_text(cost(trace.cost, trace.unpriced_calls))
    return line.append("  * its end waited for this", "dim")


def _line(span: "SpanRow") -> Text:
    line = Text.assemble(
        (f"level {span.depth + 1} " if span.depth >= DEEPEST else "", "dim"),
        (f"{span.kind:<9}", _KIND_STYLES.get(span.kind, "dim")),
        (" * " if span.critical else "   ", "yellow"),
        plain(span.name or "(no name)", "bold"),
        (f"  {elapsed(span.duration_ns)}", "dim"),
    )
    if span.self_time_ns < span.duration_ns:
        line.append(f" ({elapsed(span.self_time_ns)} its own)", "dim")
    if span.model and span.model not in span.name:
        line.append("  ").append_text(plain(span.model, "italic"))
    tokens = _tokens(span)
    if tokens:
        line.append(f"  {tokens}", "dim")
    if span.cost is not None or span.cost_source == "unpriced":
        line.append("  ").append_text(cost(span.cost, int(span.cost_source == "unpriced")))
    if span.orphan:
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
