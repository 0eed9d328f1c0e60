"""The lines of an outline: short, and without anything that could be taken for another line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from agentguard_storage.queries.measures import amount
from agentguard_storage.queries.span_rows import SpanRow
from agentguard_storage.queries.trace import Trace

__all__ = ["Totals", "headline", "line", "more_line"]

_NAME: Final = 80
_MODEL: Final = 50
_MESSAGE: Final = 160
_DEEPEST: Final = 20
"""Indentation ends here, and the level is written out."""

# C0, DEL, C1, line and paragraph separators, and what reorders text: a name is one line.
_CONTROL: Final = re.compile(
    "[\x00-\x20\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]+"
)


@dataclass(slots=True)
class Totals:
    """Sums over some spans; `cost` in US dollars, without the `unpriced` calls."""

    spans: int = 0
    errors: int = 0
    tokens: int = 0
    cost: Decimal = Decimal(0)
    unpriced: int = 0

    @classmethod
    def of(cls, span: SpanRow) -> Totals:
        """Those of one span."""
        return cls(
            1,
            int(span.status == "error"),
            span.tokens,
            span.cost or Decimal(0),
            int(span.cost_source == "unpriced"),
        )

    def add(self, other: Totals) -> None:
        """Take in the sums over others."""
        self.spans += other.spans
        self.errors += other.errors
        self.tokens += other.tokens
        self.cost += other.cost
        self.unpriced += other.unpriced


def headline(trace: Trace) -> str:
    """The whole trace in a line."""
    tokens = sum(span.tokens for span in trace.spans)
    words = [
        f"trace {trace.trace_id}",
        _clean(trace.root_name, _NAME) or "(no name)",
        _took(trace.duration_ns),
        f"{trace.span_count:,} spans",
        f"{tokens:,} tokens" if tokens else "",
        _dollars(trace.cost, trace.unpriced_calls),
        f"{trace.error_count:,} errors" if trace.error_count else "",
        f"stopped by {_clean(trace.guard, _NAME)}" if trace.guard else "",
        "" if trace.complete else "not complete yet",
    ]
    return "  ".join(word for word in words if word)


def line(spans: Sequence[SpanRow], total: Totals, level: int) -> str:
    """A span, or several that repeat; `total` is over them and all that is below them."""
    first = spans[0]
    failed = sum(span.status == "error" for span in spans)
    several = len(spans) > 1
    name = _clean(first.tool or first.name, _NAME) or "(no name)"
    model = _clean(first.model, _MODEL)
    words = [
        f"{first.kind} {name}" + (f" x {len(spans):,}" if several else ""),
        model if model not in name and not several else "",
        _took(sum(span.duration_ns for span in spans)),
        f"{total.tokens:,} tokens" if total.tokens else "",
        _dollars(amount(total.cost, total.unpriced), total.unpriced)
        if total.cost or total.unpriced
        else "",
        f"{failed:,} failed" if several and failed else "",
        f"ERROR {_clean(first.status_message, _MESSAGE)}".strip() if failed and not several else "",
        f"{total.errors - failed:,} errors below" if total.errors > failed else "",
        "(its parent has not arrived)" if first.orphan and not several else "",
        f"[{first.span_id}]",
    ]
    return _indent(level) + "  ".join(word for word in words if word)


def more_line(level: int, cursor: str, spans: int, errors: int, cost: Decimal | None) -> str:
    """What is left out at a place, and the cursor that shows it."""
    told = f"{spans:,} more spans" if spans != 1 else "1 more span"
    words = [told, f"{errors:,} errors" if errors else "", _dollars(cost) if cost else ""]
    return f"{_indent(level)}... {', '.join(word for word in words if word)}: cursor {cursor}"


def _indent(level: int) -> str:
    deep = f"(level {level}) " if level > _DEEPEST else ""
    return "  " * (min(level, _DEEPEST) - 1) + deep


def _clean(text: str, most: int) -> str:
    # Cut first: what is sent may be megabytes.
    clean = _CONTROL.sub(" ", text[: 4 * most]).strip()
    return clean if len(clean) <= most else f"{clean[: most - 3]}..."


def _took(nanoseconds: int) -> str:
    seconds = nanoseconds / 1e9
    if seconds < 1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h {minutes:02}m" if hours else f"{minutes}m {rest:02}s"


def _dollars(cost: Decimal | None, unpriced: int = 0) -> str:
    if cost is None:
        return "$?" if unpriced else ""
    text = f"${cost:,.2f}" if cost >= 1 else f"${cost:.6f}".rstrip("0").rstrip(".")
    return text + ("+?" if unpriced else "")
