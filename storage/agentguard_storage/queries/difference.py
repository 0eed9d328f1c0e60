"""How two traces differ: what was done, at what cost, and where they first part ways."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from agentguard_storage.queries.alignment import Placed, align
from agentguard_storage.queries.messages import Message, messages_of
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.span_rows import SpanRow
from agentguard_storage.queries.trace import Trace, get_trace

__all__ = [
    "ChangedSpan",
    "Difference",
    "Figures",
    "SpanFigures",
    "SpanStep",
    "TextChange",
    "compare",
    "compare_traces",
]

MOST: Final = 100
"""Spans in each list of a difference, unless told otherwise; `*_count` counts all of them."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a trace took in all. Nanoseconds; US dollars, None where nothing has a price."""

    trace_id: str
    root_name: str
    duration_ns: int
    span_count: int
    llm_calls: int
    tool_calls: int
    error_count: int
    tokens: int
    cost: Decimal | None
    stop_reason: str


@dataclass(frozen=True, slots=True)
class SpanStep:
    """A span that one of the traces alone has; `path` has the labels from the top down to it."""

    path: str
    span_id: str
    kind: str
    name: str
    status: str
    duration_ns: int
    tokens: int
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class SpanFigures:
    """What may differ in a step that both traces have."""

    span_id: str
    status: str
    status_message: str
    model: str
    duration_ns: int
    tokens: int
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class TextChange:
    """How a text differs, as the hunks of a unified diff, from its first differing lines on.

    `is_cut` says that there is more of it.
    """

    diff: str
    is_cut: bool


@dataclass(frozen=True, slots=True)
class ChangedSpan:
    """A step that both have, but not alike.

    `changes` names what differs: `status`, `model`, `tokens`, `cost`, `input`, `output`. A duration
    alone is no change. `input` and `output` are None where they are equal, or were not read.
    """

    path: str
    kind: str
    name: str
    changes: list[str]
    first: SpanFigures
    second: SpanFigures
    input: TextChange | None
    output: TextChange | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """How the second of two traces differs from the first.

    `added` has the second alone, `removed` the first; `equal_count` counts the steps that both have
    alike. `divergence` is the path of the earliest step, in the order in which they were made, that
    differs, and `summary` says all of it in a sentence or two.
    """

    first: Figures
    second: Figures
    equal_count: int
    changed_count: int
    added_count: int
    removed_count: int
    changed: list[ChangedSpan]
    added: list[SpanStep]
    removed: list[SpanStep]
    divergence: str | None
    summary: str


def compare(
    reader: Reader, first_id: str, second_id: str, *, most: int = MOST
) -> Difference | None:
    """Compare two traces of the project, contents and all; None where one of them is not there."""
    first = get_trace(reader, first_id)
    second = get_trace(reader, second_id) if first else None
    return compare_traces(first, second, most=most) if first and second else None


def compare_traces(first: Trace, second: Trace, *, most: int = MOST) -> Difference:
    """Compare two traces; texts as far as both were read with their contents.

    At most `most` spans are in each list, the earliest of them.
    """
    aligned = align(first, second)
    pairs = sorted(aligned.pairs, key=lambda pair: _order(pair[0]))
    differing = [(pair, changes) for pair in pairs if (changes := _changes(*pair))]
    removed = sorted(aligned.only_first, key=_order)
    added = sorted(aligned.only_second, key=_order)
    divergence = _divergence(first, second, differing, removed, added)
    return Difference(
        first=_figures(first),
        second=_figures(second),
        equal_count=len(pairs) - len(differing),
        changed_count=len(differing),
        added_count=len(added),
        removed_count=len(removed),
        changed=[_changed(*pair, changes) for pair, changes in differing[:most]],
        added=[_step(one) for one in added[:most]],
        removed=[_step(one) for one in removed[:most]],
        divergence=divergence[0] if divergence else None,
        summary=_summary(first, second, len(differing), len(added), len(removed), divergence),
    )


def _order(one: Placed) -> tuple[int, str]:
    return one.span.start_time_ns, one.span.span_id


def _changes(one: Placed, other: Placed) -> list[str]:
    first, second = one.span, other.span
    found = [
        name
        for name in ("status", "model", "tokens", "cost")
        if getattr(first, name) != getattr(second, name)
    ]
    if first.status_message != second.status_message and "status" not in found:
        found.insert(0, "status")
    if first.attributes == second.attributes and first.events == second.events:
        return (
            found if first.attributes or first.call_hash == second.call_hash else [*found, "input"]
        )
    before, after = _said(first), _said(second)
    if before[0] != after[0]:
        found.append("input")
    if before[1] != after[1]:
        found.append("output")
    return found


def _said(span: SpanRow) -> tuple[list[str], list[str]]:
    said = messages_of(span)
    return list(_lines(said.input)), list(_lines(said.output))


def _lines(messages: list[Message]) -> Iterator[str]:
    for message in messages:
        for part in message.parts:
            # Call ids are made anew in every run.
            head = " ".join(word for word in (message.role, part.type, part.tool) if word)
            for line in part.text.splitlines() or [""]:
                yield f"{head}: {line}"


def _changed(one: Placed, other: Placed, changes: list[str]) -> ChangedSpan:
    before, after = _said(one.span), _said(other.span)
    return ChangedSpan(
        path=one.path,
        kind=one.span.kind,
        name=one.span.name,
        changes=changes,
        first=_span_figures(one.span),
        second=_span_figures(other.span),
        input=_text_change(before[0], after[0]),
        output=_text_change(before[1], after[1]),
    )


_LINES: Final = 40
_LINE: Final = 300
_COMPARED: Final = 400


def _text_change(before: list[str], after: list[str]) -> TextChange | None:
    """Return what differs, bounded; None where nothing does."""
    if before == after:
        return None
    same = 0
    while same < min(len(before), len(after)) and before[same] == after[same]:
        same += 1
    # Two lines before it are enough to see where one is; a diff takes as long as its square.
    first = max(same - 2, 0)
    left, right = before[first : first + _COMPARED], after[first : first + _COMPARED]
    lines = list(difflib.unified_diff(left, right, lineterm="", n=2))[2:]
    is_cut = (
        len(lines) > _LINES
        or any(len(line) > _LINE for line in lines)
        or max(len(before), len(after)) > first + _COMPARED
    )
    return TextChange("\n".join(_around(line) for line in lines[:_LINES]), is_cut)


def _around(line: str) -> str:
    return line if len(line) <= _LINE else f"{line[:_LINE]}... ({len(line):,} characters)"


def _figures(trace: Trace) -> Figures:
    return Figures(
        trace.trace_id,
        trace.root_name,
        trace.duration_ns,
        trace.span_count,
        trace.llm_calls,
        trace.tool_calls,
        trace.error_count,
        sum(span.tokens for span in trace.spans),
        trace.cost,
        trace.stop_reason,
    )


def _span_figures(span: SpanRow) -> SpanFigures:
    return SpanFigures(
        span.span_id,
        span.status,
        span.status_message,
        span.model,
        span.duration_ns,
        span.tokens,
        span.cost,
    )


def _step(one: Placed) -> SpanStep:
    span = one.span
    return SpanStep(
        one.path,
        span.span_id,
        span.kind,
        span.name,
        span.status,
        span.duration_ns,
        span.tokens,
        span.cost,
    )


def _divergence(
    first: Trace,
    second: Trace,
    differing: list[tuple[tuple[Placed, Placed], list[str]]],
    removed: list[Placed],
    added: list[Placed],
) -> tuple[str, str] | None:
    """Return the path of the earliest difference since the traces began, and what it is."""
    began = first.spans[0].start_time_ns, second.spans[0].start_time_ns
    found: list[tuple[int, int, str, str]] = []
    for (one, _), changes in differing:
        # How a span that encloses others ended depends on them: they are what came first.
        encloses = one.span.child_count > 0 and "input" not in changes
        at = one.span.end_time_ns if encloses else one.span.start_time_ns
        found.append((at - began[0], int(encloses), one.path, f"differs in {_and(changes)}"))
    for side, start, what in ((removed, began[0], "is gone"), (added, began[1], "is new")):
        found.extend((one.span.start_time_ns - start, 0, one.path, what) for one in side)
    if not found:
        return None
    _, _, path, what = min(found)
    return path, what


def _and(words: list[str]) -> str:
    return ", ".join(words[:-1]) + f" and {words[-1]}" if len(words) > 1 else words[0]


def _summary(
    first: Trace,
    second: Trace,
    changed: int,
    added: int,
    removed: int,
    divergence: tuple[str, str] | None,
) -> str:
    if divergence is None:
        return "Both traces took the same steps, with the same results."
    path, what = divergence
    told = [f"They first part ways at {path}, which {what}."]
    counts = [f"{changed} changed", f"{added} added", f"{removed} removed"]
    told.append(f"Steps: {', '.join(counts)}.")
    if first.cost is not None and second.cost is not None and first.cost != second.cost:
        more = "more" if second.cost > first.cost else "less"
        told.append(f"The second cost ${abs(second.cost - first.cost):.6f} {more}.")
    return " ".join(told)
