"""Notes on traces and spans: /api/v1/annotations."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from agentguard_collector.api.access import May
from agentguard_collector.api.asking import Asked
from agentguard_collector.api.context import context_of
from agentguard_collector.api.routing import api_router
from agentguard_collector.api.shares import known_trace
from agentguard_collector.auth import Principal
from agentguard_collector.errors import NotFound
from agentguard_storage.control import Annotation, ControlPlane
from agentguard_storage.control.annotations import LONGEST_LABEL, LONGEST_TEXT, MOST_SCORE
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.trace import get_span

__all__ = ["AnnotationIn", "AnnotationOut", "AnnotationsOut", "MayAnnotate", "router"]

_TRACE: Final = r"^[0-9a-fA-F]{32}$"
_SPAN: Final = r"^[0-9a-fA-F]{16}$"
_CONTROLS: Final = r"\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029"
_NOTE: Final = rf"^[^{_CONTROLS}]*[^{_CONTROLS}\s][^{_CONTROLS}]*$"
_LABEL: Final = rf"^[^{_CONTROLS}\t\n\r]*$"
_EXAMPLE: Final = ["4bf92f3577b34da6a3ce929d0e0e4736"]

MayAnnotate = Annotated[Principal, Depends(May("annotations"))]
MayReadNotes = Annotated[Principal, Depends(May("read", "annotations"))]
AnnotationId = Annotated[
    str, Path(pattern=r"^ann_[0-9a-f]{12}$", description="Its id.", examples=["ann_0123456789ab"])
]


class AnnotationIn(BaseModel):
    """A note on a trace, or with `span_id` on one of its spans."""

    model_config = ConfigDict(extra="forbid")

    trace_id: str = Field(pattern=_TRACE, examples=_EXAMPLE)
    span_id: str | None = Field(None, pattern=_SPAN, examples=["00f067aa0ba902b7"])
    text: str = Field(
        min_length=1, max_length=LONGEST_TEXT, pattern=_NOTE, examples=["the plan was good"]
    )
    label: str = Field("", max_length=LONGEST_LABEL, pattern=_LABEL, examples=["verdict"])
    score: float | None = Field(
        None, ge=-MOST_SCORE, le=MOST_SCORE, allow_inf_nan=False, examples=[0.5]
    )


class AnnotationOut(BaseModel):
    """A note, and who wrote it: the name and the id of the key."""

    id: str
    trace_id: str
    span_id: str | None
    text: str
    label: str
    score: float | None
    author: str
    author_key: str
    created_at: datetime

    @classmethod
    def of(cls, note: Annotation) -> AnnotationOut:
        """From what the control plane says."""
        return cls(
            id=note.id,
            trace_id=note.trace_id,
            span_id=note.span_id or None,
            text=note.text,
            label=note.label,
            score=note.score,
            author=note.author,
            author_key=note.author_key,
            created_at=note.created_at,
        )


class AnnotationsOut(BaseModel):
    """The notes on a trace and its spans, the oldest first."""

    data: list[AnnotationOut]


def router(control: ControlPlane) -> APIRouter:
    """Writing notes, reading and deleting them."""
    made = api_router("annotations")

    @made.post("", status_code=201, responses={404: {}})
    async def create_annotation(
        request: Request, given: AnnotationIn, who: MayAnnotate
    ) -> AnnotationOut:
        """Leave a note on a trace of the project, or on one of its spans."""
        asked = Asked(request, context_of(request), who)
        return await asked.run(lambda reader: _made(control, reader, given, who))

    @made.get("")
    def list_annotations(
        who: MayReadNotes,
        trace_id: Annotated[
            str, Query(pattern=_TRACE, description="The trace.", examples=_EXAMPLE)
        ],
    ) -> AnnotationsOut:
        """The notes on a trace and its spans; there are at most 500."""
        found = control.annotations.list(who.project_id, trace_id)
        return AnnotationsOut(data=[AnnotationOut.of(each) for each in found])

    @made.delete("/{annotation_id}", status_code=204)
    def delete_annotation(annotation_id: AnnotationId, who: MayAnnotate) -> None:
        """Delete a note, whoever wrote it."""
        control.annotations.delete(who.project_id, annotation_id)

    return made


def _made(
    control: ControlPlane, reader: Reader, given: AnnotationIn, who: Principal
) -> AnnotationOut:
    known_trace(reader, given.trace_id)
    if given.span_id and get_span(reader, given.trace_id.lower(), given.span_id.lower()) is None:
        raise NotFound(f"the trace has no span {given.span_id.lower()}, or not yet")
    note = control.annotations.add(
        who,
        given.trace_id,
        given.text,
        span_id=given.span_id,
        label=given.label,
        score=given.score,
    )
    return AnnotationOut.of(note)
