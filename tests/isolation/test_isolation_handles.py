"""What theirs hold in their hands, in the hands of ours: cursors, ids, tokens, projects."""

from __future__ import annotations

import inspect
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from agentguard.budgets.spend import Limits, Spend
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import TimeRange
from tests.isolation.answers import canaries_in
from tests.isolation.functions import asking_functions
from tests.isolation.tenants import BEGAN, SHARED_TRACES
from tests.isolation.worlds import Asker, Worlds

_START = datetime.fromtimestamp(BEGAN // 10**9, UTC)
_WHOLE = TimeRange(_START - timedelta(hours=1), _START + timedelta(hours=12))
_PAGED = {
    name: function
    for name, function in asking_functions().items()
    if "cursor" in inspect.signature(function).parameters
}


def _get(worlds: Worlds, who: Asker, path: str, **more: Any) -> Any:
    collector = worlds.both.collector
    headers = {"Authorization": f"Bearer {who.key}", **more.pop("headers", {})}
    return collector.client.get(f"{collector.url}/api/v1/{path}", headers=headers, **more)


@pytest.mark.parametrize("name", sorted(_PAGED))
def test_a_cursor_of_theirs_is_refused(name: str, worlds: Worlds):
    """Where theirs went on is told to nobody else, and no page of ours begins there."""
    function = _PAGED[name]
    page = function(worlds.both.reader(worlds.theirs), _WHOLE, limit=1)
    assert page.next_cursor is not None
    with pytest.raises(InvalidQuery, match="does not belong to this question"):
        function(worlds.both.reader(worlds.ours), _WHOLE, limit=1, cursor=page.next_cursor)


@pytest.mark.parametrize("route", ["traces", "spans", "sessions", "alerts"])
def test_a_cursor_of_theirs_is_a_bad_request(route: str, worlds: Worlds):
    """Over HTTP a cursor of another project's page is told to be none of ours."""
    when = {"start": _WHOLE.start.isoformat(), "end": _WHOLE.end.isoformat(), "limit": 1}
    cursor = _get(worlds, worlds.theirs, route, params=when).json()["next_cursor"]
    assert cursor
    answer = _get(worlds, worlds.ours, route, params={**when, "cursor": cursor})
    assert answer.status_code == 422
    assert answer.json()["where"] == "cursor"


@pytest.mark.parametrize("name", ["project", "project_id", "tenant"])
def test_a_project_cannot_be_asked_for(name: str, worlds: Worlds):
    """Whose data is read follows from the key; naming a project changes nothing, or is refused."""
    project = worlds.theirs.project_id
    named = _get(worlds, worlds.ours, "traces", params={name: project})
    assert named.status_code == 400
    headers = {f"x-{name.replace('_', '-')}": project, "x-scope-orgid": project}
    answer = _get(worlds, worlds.ours, "traces", headers=headers)
    assert answer.json()["traces"]
    assert not canaries_in(worlds.theirs, answer.json())


def test_a_parameter_of_ours_does_not_replace_the_project(worlds: Worlds):
    """Even a statement's parameter of that name is bound to the reader's project."""
    reader = worlds.both.reader(worlds.ours)
    found = reader.rows(
        "SELECT DISTINCT project_id FROM spans WHERE project_id = {project:String}",
        {"project": worlds.theirs.project_id},
    )
    assert [row["project_id"] for row in found] == [worlds.ours.project_id]


def test_both_may_hold_reservations_of_one_id(worlds: Worlds):
    """What ours settles under an id that theirs use as well leaves theirs as they are."""
    control, theirs = worlds.both.control, worlds.theirs.project_id
    both = (worlds.ours.project_id, theirs)
    # A budget of its own: that of the worlds is for every other test, and may be used up by one.
    for project in both:
        control.budgets.put(project, "shared-id", Limits(calls=9))
        control.reservations.reserve(project, "shared-id", "one-id", Spend(7), ttl_s=60)
    budget = control.budgets.get(theirs, "shared-id")
    before = control.budgets.standings(budget)
    assert control.reservations.release(both[0], "shared-id", "one-id").state == "released"
    assert control.budgets.standings(budget) == before
    assert control.reservations.release(theirs, "shared-id", "one-id").state == "released"
    assert control.budgets.standings(budget) != before
    for project in both:
        control.budgets.delete(project, "shared-id")


def test_a_share_leads_to_the_trace_of_those_who_shared_it(worlds: Worlds):
    """Two links to the same trace id lead to two projects."""
    for asker in (worlds.ours, worlds.theirs):
        share = worlds.both.control.shares.resolve(asker.share_token)
        assert share is not None
        assert (share.project_id, share.trace_id) == (asker.project_id, SHARED_TRACES[0])


def test_a_leak_is_found(worlds: Worlds):
    """A query that forgets its project is caught by what these tests look for."""
    forgot = "SELECT name, toString(attributes) FROM spans ORDER BY rand() LIMIT 500"
    rows = worlds.both.client.query(forgot).result_rows
    assert canaries_in(worlds.theirs, rows)
