"""Stops: made, told, lifted, on both databases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from agentguard_storage.control import Projects, Stops
from agentguard_storage.control.errors import InvalidValue, UnknownProject, UnknownStop


def test_a_stop_is_in_force_until_it_is_lifted(control_db, control_project):
    """What was stopped is told with its reason, once, until somebody lifts it."""
    stops = Stops(control_db)
    order = stops.add(control_project.id, "service", " crawler ", "too dear")
    assert stops.add(control_project.id, "service", "crawler", "again").id == order.id
    (found,) = stops.in_force(control_project.id)
    assert (found.what, found.target, found.reason) == ("service", "crawler", "too dear")
    lifted = stops.lift(control_project.id, order.id)
    assert stops.lift(control_project.id, order.id).lifted_at == lifted.lifted_at
    assert stops.in_force(control_project.id) == []
    assert stops.add(control_project.id, "service", "crawler").id != order.id
    assert stops.lift_all(control_project.id, "service", "crawler") == 1


def test_projects_have_their_own(control_db, control_project):
    """Another project neither sees a stop nor lifts it."""
    stops, other = Stops(control_db), Projects(control_db).create("other").id
    order = stops.add(control_project.id, "project")
    assert stops.in_force(other) == []
    assert stops.lift_all(other, "project") == 0
    with pytest.raises(UnknownStop):
        stops.lift(other, order.id)
    with pytest.raises(UnknownProject):
        stops.add("prj_nobody", "project")


def test_the_stop_of_a_run_is_told_for_a_day(control_db, control_project):
    """A run that was stopped yesterday is over; a service stays stopped."""
    time = datetime(2027, 1, 1, tzinfo=UTC)
    stops = Stops(control_db, lambda: time)
    stops.add(control_project.id, "run", "run-7")
    stops.add(control_project.id, "service", "crawler")
    assert {order.what for order in stops.in_force(control_project.id)} == {"run", "service"}
    time += timedelta(days=1)
    assert {order.what for order in stops.in_force(control_project.id)} == {"service"}


@pytest.mark.parametrize(
    ("what", "target", "reason"),
    [
        ("planet", "x", "no"),
        ("run", "", "no"),
        ("run", "x" * 257, "no"),
        ("run", "a\nb", "no"),
        ("run", "x", ""),
        ("run", "x", "y" * 501),
    ],
)
def test_what_is_no_stop_is_refused(control_db, control_project, what, target, reason):
    """What is stopped, and why, is one printable line each."""
    with pytest.raises(InvalidValue):
        Stops(control_db).add(control_project.id, what, target, reason)
