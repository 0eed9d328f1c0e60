"""Notes on traces and spans, on both databases."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentguard_storage.control import Annotations, ControlDatabase, Principal, Projects, Scope
from agentguard_storage.control.errors import InvalidValue, UnknownAnnotation, UnknownProject

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"


def principal(project_id: str) -> Principal:
    """The holder of a key of this project."""
    return Principal(
        project_id, "a project", "key123456789", "watch", frozenset({Scope.ANNOTATIONS}), 30, ""
    )


@pytest.fixture
def who(control_project) -> Principal:
    """The holder of a key of the default project."""
    return principal(control_project.id)


def test_notes_are_kept_in_order(control_db, who):
    """A trace's notes come back oldest first, with who wrote them and what they are about."""
    now = datetime(2027, 1, 1, tzinfo=UTC)
    notes = Annotations(control_db, lambda: now)
    notes.add(who, TRACE.upper(), " good\r\n\trun 🙂 ", label="verdict", score=0.5)
    now += timedelta(seconds=1)
    notes.add(who, TRACE, "odd", span_id=SPAN)
    notes.add(who, "1" * 32, "elsewhere")
    first, second = notes.list(who.project_id, TRACE)
    assert (first.text, first.label, first.score, first.span_id) == (
        "good\n\trun 🙂", "verdict", 0.5, "",
    )  # fmt: skip
    assert (first.author, first.author_key) == ("watch", "key123456789")
    assert (second.text, second.span_id, second.score) == ("odd", SPAN, None)


def test_a_note_can_be_deleted_once(control_db, who):
    """A deleted note is gone, and deleting it again says that there is none."""
    notes = Annotations(control_db)
    note = notes.add(who, TRACE, "wrong")
    notes.delete(who.project_id, note.id)
    assert notes.list(who.project_id, TRACE) == []
    for unknown in (note.id, "ann_000000000000", "'; DROP TABLE annotations", ""):
        with pytest.raises(UnknownAnnotation):
            notes.delete(who.project_id, unknown)


def test_projects_have_their_own(control_db, who):
    """Another project neither sees nor deletes a note on the trace of the same id."""
    other = replace(who, project_id=Projects(control_db).create("other").id)
    notes = Annotations(control_db)
    mine = notes.add(who, TRACE, "mine")
    theirs = notes.add(other, TRACE, "theirs")
    assert [each.id for each in notes.list(other.project_id, TRACE)] == [theirs.id]
    with pytest.raises(UnknownAnnotation):
        notes.delete(other.project_id, mine.id)
    with pytest.raises(UnknownProject):
        notes.add(principal("prj_nobody"), TRACE, "lost")


@pytest.mark.parametrize(
    ("bound", "traces"), [("MOST_OF_A_TRACE", [TRACE] * 4), ("MOST_OF_A_PROJECT", "3456")]
)
def test_notes_are_bounded_in_number(control_db, who, monkeypatch, bound, traces):
    """Neither a trace nor a project can be given notes without end."""
    monkeypatch.setattr(f"agentguard_storage.control.annotations.{bound}", 3)
    notes = Annotations(control_db)
    *fit, last = [(each * 32)[:32] for each in traces]
    for trace in fit:
        notes.add(who, trace, "fits")
    with pytest.raises(InvalidValue, match="may have 3 notes; delete some"):
        notes.add(who, last, "too many")


@pytest.mark.parametrize(
    "given",
    [
        {"text": ""},
        {"text": " \n "},
        {"text": "x" * 2001},
        {"text": "a\x00b"},
        {"text": "a\x1b[2J"},
        {"text": "\ud800"},
        {"label": "x" * 65},
        {"label": "a\nb"},
        {"score": math.nan},
        {"score": math.inf},
        {"score": 1e300},
        {"span_id": "0" * 16},
        {"span_id": ""},
        {"span_id": TRACE},
        {"trace_id": SPAN},
    ],
)
def test_what_is_no_note_is_refused(control_db, who, given):
    """Texts, labels, scores and ids are bounded."""
    with pytest.raises(InvalidValue):
        Annotations(control_db).add(who, **{"trace_id": TRACE, "text": "fine"} | given)


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=2000), label=st.text(max_size=64), score=st.none() | st.floats())
def test_what_is_accepted_comes_back(control_db, who, text, label, score):
    """Whatever is written is either refused or read back as it was."""
    notes = Annotations(control_db)
    try:
        note = notes.add(who, TRACE, text, label=label, score=score)
    except InvalidValue:
        return
    (found,) = notes.list(who.project_id, TRACE)
    assert (found.text, found.label, found.score) == (note.text, note.label, score)
    notes.delete(who.project_id, note.id)


def test_a_database_is_needed_for_nothing_that_is_refused(tmp_path):
    """What cannot be a note is refused before the database is asked."""
    away = Annotations(ControlDatabase(f"sqlite:///{tmp_path / 'none' / 'control.db'}"))
    with pytest.raises(InvalidValue):
        away.add(principal("prj_x"), "no", "note")
