"""Notes that people and agents leave on traces and spans, with a score or a label if they like."""

import math
import re
import secrets
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import func, select

from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.errors import InvalidValue, UnknownAnnotation, UnknownProject
from agentguard_storage.control.lookup import Principal
from agentguard_storage.control.models import Project
from agentguard_storage.control.share_models import Annotation
from agentguard_storage.control.trace_ids import checked_span_id, checked_trace_id

__all__ = [
    "LONGEST_LABEL",
    "LONGEST_TEXT",
    "MOST_OF_A_PROJECT",
    "MOST_OF_A_TRACE",
    "MOST_SCORE",
    "Annotations",
]

LONGEST_TEXT: Final = 2_000
"""Characters of one note."""
MOST_OF_A_TRACE: Final = 500
MOST_OF_A_PROJECT: Final = 50_000

_ID: Final = re.compile(r"ann_[0-9a-f]{12}", re.ASCII)
LONGEST_LABEL: Final = 64
_REFUSED: Final = frozenset({"Cc", "Cs", "Zl", "Zp"})
MOST_SCORE: Final = 1e12


class Annotations:
    """The notes of all projects. Every method may raise ControlPlaneUnavailable."""

    def __init__(
        self, database: ControlDatabase, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._now = now

    def add(
        self,
        who: Principal,
        trace_id: str,
        text: str,
        *,
        span_id: str | None = None,
        label: str = "",
        score: float | None = None,
    ) -> Annotation:
        """Leave a note on a trace of the caller's project, or on one of its spans.

        Whether there are such a trace and span is not known here. Raises InvalidValue, also where
        the trace or the project has as many notes as it may have; UnknownProject.
        """
        note = Annotation(
            id="ann_" + secrets.token_hex(6),
            project_id=who.project_id,
            trace_id=checked_trace_id(trace_id),
            span_id="" if span_id is None else checked_span_id(span_id),
            text=_checked_note(text),
            label=_checked_label(label),
            score=_checked_score(score),
            author_key=who.key_id,
            author=who.key_name,
            created_at=self._now(),
        )
        mine = select(func.count()).where(Annotation.project_id == who.project_id)
        with self._database.writing() as session:
            # The lock puts writers in a row, so that no two write the last one.
            if session.get(Project, who.project_id, with_for_update=True) is None:
                raise UnknownProject(f"there is no project with the id {who.project_id!r}")
            of_trace = mine.where(Annotation.trace_id == note.trace_id)
            if (session.scalar(of_trace) or 0) >= MOST_OF_A_TRACE:
                raise InvalidValue(f"a trace may have {MOST_OF_A_TRACE:,} notes; delete some")
            if (session.scalar(mine) or 0) >= MOST_OF_A_PROJECT:
                raise InvalidValue(f"a project may have {MOST_OF_A_PROJECT:,} notes; delete some")
            session.add(note)
        return note

    def list(self, project_id: str, trace_id: str) -> list[Annotation]:
        """The notes on a trace and its spans, oldest first; at most 500. Raises InvalidValue."""
        query = (
            select(Annotation)
            .where(Annotation.project_id == project_id)
            .where(Annotation.trace_id == checked_trace_id(trace_id))
            .order_by(Annotation.created_at, Annotation.id)
        )
        with self._database.reading() as session:
            return list(session.scalars(query))

    def delete(self, project_id: str, annotation_id: str) -> None:
        """Remove a note, whoever wrote it. Raises UnknownAnnotation."""
        with self._database.writing() as session:
            found = _ID.fullmatch(annotation_id)
            note = session.get(Annotation, annotation_id) if found else None
            if note is None or note.project_id != project_id:
                raise UnknownAnnotation(f"there is no note {annotation_id[:64]!r} in this project")
            session.delete(note)


def _checked_note(text: str) -> str:
    value = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if not 0 < len(value) <= LONGEST_TEXT:
        raise InvalidValue(f"a note is 1 to {LONGEST_TEXT:,} characters long")
    if _has_controls(value.replace("\n", "").replace("\t", "")):
        raise InvalidValue("a note may have lines and tabs, and no other control characters")
    return value


def _checked_label(text: str) -> str:
    value = text.strip()
    if len(value) > LONGEST_LABEL or _has_controls(value):
        raise InvalidValue(f"a label is at most {LONGEST_LABEL} characters on one line")
    return value


def _has_controls(text: str) -> bool:
    return any(unicodedata.category(character) in _REFUSED for character in text)


def _checked_score(score: float | None) -> float | None:
    if score is not None and not (math.isfinite(score) and abs(score) <= MOST_SCORE):
        raise InvalidValue(f"a score is a number from -{MOST_SCORE:.0e} to {MOST_SCORE:.0e}")
    return score
