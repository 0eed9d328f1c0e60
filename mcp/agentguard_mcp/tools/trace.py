"""Tools about one run: its tree, one of its operations, why it was stopped, another beside it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from agentguard_mcp.backend import Call
from agentguard_mcp.messages import Said, said
from agentguard_mcp.shapes import SpanId, TraceId, Usd
from agentguard_mcp.tool import Arguments, Result, Tool, ToolError
from agentguard_mcp.untrusted import clipped
from agentguard_storage.control import Annotation
from agentguard_storage.queries.messages import messages_of
from agentguard_storage.queries.outline import outline
from agentguard_storage.queries.span_rows import SpanRow
from agentguard_storage.queries.trace import Trace, get_span, get_trace

__all__ = ["TOOLS"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_NAME: Final = 200
_ATTRIBUTES: Final = 60
_ATTRIBUTE: Final = 300
_EVENTS: Final = 20
_MOST_PLACES: Final = 50
_NOTES: Final = 10
_NOTE: Final = 500
_CHARACTERS_OF_A_TOKEN: Final = 4
# Shown as messages, in one form for all vocabularies.
_MESSAGES: Final = (
    "gen_ai.input.messages", "gen_ai.output.messages", "gen_ai.system_instructions",
    "llm.input_messages.", "llm.output_messages.", "gen_ai.prompt.", "gen_ai.completion.",
    "input.value", "output.value", "traceloop.entity.input", "traceloop.entity.output",
)  # fmt: skip


class GetTrace(Arguments):
    """What get_trace takes."""

    trace_id: TraceId
    max_tokens: Annotated[
        int, Field(ge=250, le=25_000, description="About how long the tree may be.")
    ] = 2_000
    depth: Annotated[int | None, Field(ge=1, le=1_000, description="How many levels at most.")] = (
        None
    )
    span_id: Annotated[SpanId | None, Field(description="Show what is below this span alone.")] = (
        None
    )
    cursor: Annotated[
        str | None,
        StringConstraints(max_length=64),
        Field(description="One of `more`: show what was left out there."),
    ] = None


class LeftOut(Result):
    """What the tree leaves out at one place; `cursor` shows it."""

    cursor: str
    spans: int
    errors: int
    cost_usd: Usd | None = None


class Note(Result):
    """What somebody noted on the trace or a span of it."""

    text: str
    label: str | None = None
    score: float | None = None
    author: str
    span_id: str | None = None


class Tree(Result):
    """The tree, a line for each span or for siblings that repeat; and the newest notes."""

    tree: str
    notes: list[Note]


class TraceShown(Result):
    """What get_trace gives."""

    trace_id: str
    started_at: datetime
    duration_ms: float
    complete: bool
    """Whether the root and all parents are there: a running trace is not."""
    spans: int
    shown_spans: int
    errors: int
    llm_calls: int
    tool_calls: int
    tokens: int
    cost_usd: Usd | None = None
    unpriced_calls: int
    stopped: bool
    more: list[LeftOut]
    untrusted: Tree


class GetSpan(Arguments):
    """What get_span takes."""

    trace_id: TraceId
    span_id: SpanId
    max_characters: Annotated[
        int, Field(ge=100, le=20_000, description="Of each message; longer ones are cut.")
    ] = 2_000
    newest_messages: Annotated[
        int, Field(ge=1, le=100, description="How many of the input's messages, the last ones.")
    ] = 10


class Event(Result):
    """Something that happened meanwhile."""

    name: str
    attributes: dict[str, str]


class SpanContents(Result):
    """What agents have written in an operation."""

    name: str
    service: str
    agent: str
    tool: str
    model: str
    status_message: str
    stop_reason: str
    input: list[Said]
    output: list[Said]
    attributes: dict[str, str]
    events: list[Event]


class SpanDetail(Result):
    """What get_span gives."""

    trace_id: str
    span_id: str
    parent_span_id: str
    kind: str
    status: str
    started_at: datetime
    duration_ms: float
    self_time_ms: float
    on_critical_path: bool
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost_usd: Usd | None = None
    cost_source: str
    guard_action: str
    earlier_messages_left_out: int
    attributes_left_out: int
    untrusted: SpanContents


async def _trace(call: Call, given: GetTrace) -> TraceShown:
    found = await call.ask(get_trace, given.trace_id, contents=False)
    if found is None:
        raise ToolError("this project has no trace with this id; find ids with query_traces")
    annotations = call.backend.control.annotations
    noted = await call.run(lambda: annotations.list(call.project_id, given.trace_id))
    notes = [_note(each) for each in noted[-_NOTES:]]
    return await call.run(lambda: _shown(found, given, notes))


def _note(note: Annotation) -> Note:
    return Note(
        text=clipped(note.text, _NOTE),
        label=note.label or None,
        score=note.score,
        author=note.author,
        span_id=note.span_id or None,
    )


def _shown(found: Trace, given: GetTrace, notes: list[Note]) -> TraceShown:
    drawn = outline(
        found,
        characters=given.max_tokens * _CHARACTERS_OF_A_TOKEN,
        depth=given.depth,
        span_id=given.span_id,
        cursor=given.cursor,
    )
    return TraceShown(
        trace_id=found.trace_id,
        started_at=found.started_at,
        duration_ms=found.duration_ns / 1e6,
        complete=found.complete,
        spans=found.span_count,
        shown_spans=drawn.shown_spans,
        errors=found.error_count,
        llm_calls=found.llm_calls,
        tool_calls=found.tool_calls,
        tokens=found.input_tokens
        + found.cache_read_tokens
        + found.cache_write_tokens
        + found.output_tokens
        + found.reasoning_tokens,
        cost_usd=found.cost,
        unpriced_calls=found.unpriced_calls,
        stopped=bool(found.stop_reason),
        more=[
            LeftOut(cursor=each.cursor, spans=each.spans, errors=each.errors, cost_usd=each.cost)
            for each in drawn.more[:_MOST_PLACES]
        ],
        untrusted=Tree(tree=drawn.text, notes=notes),
    )


async def _span(call: Call, given: GetSpan) -> SpanDetail:
    span = await call.ask(get_span, given.trace_id, given.span_id)
    if span is None:
        raise ToolError("this project has no such span in such a trace; get_trace shows its spans")
    told = messages_of(span, limit=given.max_characters, newest=given.newest_messages)
    others = [pair for pair in span.attributes.items() if not pair[0].startswith(_MESSAGES)]
    shown = {
        clipped(name, _NAME): clipped(str(value), _ATTRIBUTE)
        for name, value in others[:_ATTRIBUTES]
    }
    return SpanDetail(
        trace_id=span.trace_id,
        span_id=span.span_id,
        parent_span_id=span.parent_span_id,
        kind=span.kind,
        status=span.status,
        started_at=_EPOCH + timedelta(microseconds=span.start_time_ns // 1_000),
        duration_ms=span.duration_ns / 1e6,
        self_time_ms=span.self_time_ns / 1e6,
        on_critical_path=span.critical,
        input_tokens=span.input_tokens,
        cache_read_tokens=span.cache_read_tokens,
        cache_write_tokens=span.cache_write_tokens,
        output_tokens=span.output_tokens,
        reasoning_tokens=span.reasoning_tokens,
        cost_usd=span.cost,
        cost_source=span.cost_source,
        guard_action=span.guard_action,
        earlier_messages_left_out=told.left_out,
        attributes_left_out=max(0, len(others) - _ATTRIBUTES),
        untrusted=SpanContents(
            name=clipped(span.name, _NAME),
            service=clipped(span.service, _NAME),
            agent=clipped(span.agent, _NAME),
            tool=clipped(span.tool, _NAME),
            model=clipped(span.model, _NAME),
            status_message=clipped(span.status_message, given.max_characters),
            stop_reason=clipped(span.stop_reason, _NAME),
            input=[said(message) for message in told.input],
            output=[said(message) for message in told.output],
            attributes=shown,
            events=_events(span),
        ),
    )


def _events(span: SpanRow) -> list[Event]:
    return [
        Event(
            name=clipped(event.name, _NAME),
            attributes={
                clipped(name, _NAME): clipped(str(value), _ATTRIBUTE)
                for name, value in list(event.attributes.items())[:_EVENTS]
            },
        )
        for event in span.events[:_EVENTS]
    ]


def _as_text(found: TraceShown) -> str:
    notes = [
        f"note by {note.author}{f' on {note.span_id}' if note.span_id else ''}"
        f"{f' [{note.label}]' if note.label else ''}"
        f"{f' {note.score:g}' if note.score is not None else ''}: {note.text}"
        for note in found.untrusted.notes
    ]
    return "\n".join([found.untrusted.tree, *notes])


def _in_words(found: TraceShown) -> str:
    more = " Ask again with one of the cursors in `more` for the rest." if found.more else ""
    return (
        f"{found.shown_spans} of {found.spans} spans are shown; {found.errors} errors, "
        f"{found.llm_calls} model calls, {found.tool_calls} tool calls, "
        f"{found.tokens:,} tokens, ${found.cost_usd or 0:.4f}"
        f"{', stopped by a guard' if found.stopped else ''}.{more}"
    )


TOOLS: Final = (
    Tool(
        name="get_trace",
        title="Open a run",
        description="Open one run as a compact tree that fits your context: each operation with "
        "its time, tokens, cost and errors, repeated ones counted in one line, the most important "
        "kept. Go on with a cursor, or below one span_id; get_span opens a single operation.",
        takes=GetTrace,
        gives=TraceShown,
        run=_trace,
        says=_in_words,
        shows=_as_text,
    ),
    Tool(
        name="get_span",
        title="Open one operation",
        description="Open one span of a run: the messages that went in and came out, tool "
        "arguments and results, attributes, tokens, cost and times.",
        takes=GetSpan,
        gives=SpanDetail,
        run=_span,
        says=lambda found: f"{found.kind} span, {found.duration_ms:.1f} ms, status {found.status}.",
    ),
)
