"""Tools that change something: stop a run, share a trace, leave a note on one."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import Field, StringConstraints

from agentguard_mcp.backend import Call
from agentguard_mcp.shapes import SpanId, TraceId
from agentguard_mcp.tool import Arguments, Result, Tool, ToolError
from agentguard_storage.control import Scope
from agentguard_storage.control.shares import share_path
from agentguard_storage.queries.trace import find_trace_ids, get_span

__all__ = ["TOOLS"]


class StopRun(Arguments):
    """What stop_run takes."""

    run: Annotated[
        str,
        StringConstraints(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$"),
        Field(description="The run's id, or its trace id."),
    ]
    reason: Annotated[
        str,
        StringConstraints(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"),
        Field(description="Why; the stopped run is told so."),
    ]


class Stopped(Result):
    """What stop_run gives."""

    stop_id: str
    run: str
    in_force_within_s: int = 3


class ShareTrace(Arguments):
    """What share_trace takes."""

    trace_id: TraceId
    hours: Annotated[int, Field(ge=1, le=24 * 90, description="For how long the link is good.")] = (
        24 * 7
    )


class Shared(Result):
    """What share_trace gives."""

    url: str
    share_id: str
    expires_at: datetime


class AnnotateTrace(Arguments):
    """What annotate_trace takes."""

    trace_id: TraceId
    text: Annotated[
        str, StringConstraints(min_length=1, max_length=2000), Field(description="The note.")
    ]
    span_id: SpanId | None = None
    label: Annotated[
        str,
        StringConstraints(max_length=64, pattern=r"^[^\x00-\x1f\x7f]*$"),
        Field(description="A word to find it by, such as correct, hallucination."),
    ] = ""
    score: Annotated[
        float | None, Field(allow_inf_nan=False, description="A score, on your own scale.")
    ] = None


class NoteLeft(Result):
    """What annotate_trace gives."""

    annotation_id: str
    trace_id: str
    span_id: str | None = None
    created_at: datetime


async def _stop(call: Call, given: StopRun) -> Stopped:
    stops = call.backend.control.stops
    order = await call.run(lambda: stops.add(call.project_id, "run", given.run, given.reason))
    return Stopped(stop_id=order.id, run=order.target)


async def _share(call: Call, given: ShareTrace) -> Shared:
    await _need_trace(call, given.trace_id)
    shares, by = call.backend.control.shares, call.principal.key_id
    lasts = timedelta(hours=given.hours)
    share, token = await call.run(
        lambda: shares.create(call.project_id, given.trace_id, expires_in=lasts, by=by)
    )
    url = call.base_url + share_path(token)
    return Shared(url=url, share_id=share.id, expires_at=share.expires_at)


async def _annotate(call: Call, given: AnnotateTrace) -> NoteLeft:
    if given.span_id is None:
        await _need_trace(call, given.trace_id)
    elif await call.ask(get_span, given.trace_id, given.span_id) is None:
        raise ToolError("this project has no such span in such a trace; get_trace shows its spans")
    notes = call.backend.control.annotations
    note = await call.run(
        lambda: notes.add(
            call.principal,
            given.trace_id,
            given.text,
            span_id=given.span_id,
            label=given.label,
            score=given.score,
        )
    )
    return NoteLeft(
        annotation_id=note.id,
        trace_id=note.trace_id,
        span_id=note.span_id or None,
        created_at=note.created_at,
    )


async def _need_trace(call: Call, trace_id: str) -> None:
    if not await call.ask(find_trace_ids, trace_id, 1):
        raise ToolError("this project has no trace with this id; find ids with query_traces")


TOOLS: Final = (
    Tool(
        name="stop_run",
        title="Stop a run",
        description="Stop one running agent from outside: every later model call of it is "
        "refused. It cannot be taken back for that run.",
        takes=StopRun,
        gives=Stopped,
        run=_stop,
        says=lambda done: f"Stopped; in force within {done.in_force_within_s} s.",
        scope=Scope.STOPS,
        destructive=True,
    ),
    Tool(
        name="share_trace",
        title="Share a trace by a link",
        description="Make a link by which anybody who has it can see one trace until it expires. "
        "The link is shown once.",
        takes=ShareTrace,
        gives=Shared,
        run=_share,
        says=lambda done: f"Shared until {done.expires_at:%Y-%m-%d %H:%M} UTC: {done.url}",
        scope=Scope.SHARES,
        idempotent=False,
    ),
    Tool(
        name="annotate_trace",
        title="Leave a note on a trace",
        description="Leave a note on a trace or one of its spans, with a label or a score: what "
        "you found out, or how good it was.",
        takes=AnnotateTrace,
        gives=NoteLeft,
        run=_annotate,
        says=lambda done: f"Noted as {done.annotation_id}.",
        scope=Scope.ANNOTATIONS,
        idempotent=False,
    ),
)
