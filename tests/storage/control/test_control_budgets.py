"""Shared budgets: setting up, reserving, settling, expiring, on both databases."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from agentguard.budgets.spend import Limits, Spend
from agentguard_storage.control import Budgets, Projects, Reservations
from agentguard_storage.control.errors import (
    InvalidValue,
    ReservationConflict,
    UnknownBudget,
    UnknownProject,
    UnknownReservation,
)


class Now:
    """A calendar that a test moves by hand."""

    def __init__(self) -> None:
        self.time = datetime(2027, 3, 27, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        """Read it."""
        return self.time

    def pass_by(self, **more: float) -> None:
        """Let time pass."""
        self.time += timedelta(**more)


@pytest.fixture
def now() -> Now:
    """The time of the test's budgets."""
    return Now()


@pytest.fixture
def budgets(control_db, now) -> Budgets:
    """The budgets of the database."""
    return Budgets(control_db, now)


@pytest.fixture
def reservations(control_db, now) -> Reservations:
    """The reservations of the database."""
    return Reservations(control_db, now)


@pytest.fixture
def project(control_project) -> str:
    """The id of the default project, which has a budget `team` of ten calls."""
    return control_project.id


@pytest.fixture
def team(budgets, project) -> str:
    """A budget of ten calls, for all time."""
    budgets.put(project, "team", Limits(calls=10))
    return "team"


def standing(budgets: Budgets, project: str, name: str, value: str = "") -> tuple[Spend, Spend]:
    """What is spent and held of a pot."""
    pots = {pot.scope_value: pot for pot in budgets.standings(budgets.get(project, name))}
    return pots[value].spent, pots[value].held


def test_a_budget_can_be_changed_and_is_the_projects_own(control_db, budgets, project):
    """Putting a name again changes the budget; in another project it is another one."""
    first = budgets.put(project, "team", Limits(calls=10))
    again = budgets.put(project, "team", Limits(pico_usd=5), scope="user", period="day")
    assert (again.id, again.limits, again.scope) == (first.id, Limits(pico_usd=5), "user")
    other = Projects(control_db).create("other").id
    assert budgets.list(other) == []
    with pytest.raises(UnknownBudget):
        budgets.get(other, "team")
    budgets.put(other, "team", Limits(calls=1))
    budgets.delete(project, "team")
    assert [each.project_id for each in budgets.list(other)] == [other]
    with pytest.raises(UnknownProject):
        budgets.put("prj_nobody", "team", Limits(calls=1))


@pytest.mark.parametrize(
    "given",
    [
        {"name": ""},
        {"name": "a/b"},
        {"limits": Limits()},
        {"limits": Limits(calls=-1)},
        {"limits": Limits(pico_usd=10**18 + 1)},
        {"scope": "planet"},
        {"period": "year"},
        {"timezone": "Mars/Base"},
        {"timezone": "../../etc/passwd"},
    ],
)
def test_what_is_no_budget_is_refused(budgets, project, given):
    """Names, limits, scopes, periods and zones have bounds."""
    full = {"name": "team", "limits": Limits(calls=1), **given}
    with pytest.raises(InvalidValue):
        budgets.put(project, **full)


def test_reserving_is_idempotent(budgets, reservations, project, team):
    """The same id again gets the same answer and holds once; with other figures it is refused."""
    for _ in range(3):
        answer = reservations.reserve(project, team, "r1", Spend(4))
        assert (answer.state, answer.amount, answer.held) == ("open", Spend(4), Spend(4))
    with pytest.raises(ReservationConflict):
        reservations.reserve(project, team, "r1", Spend(5))
    with pytest.raises(ReservationConflict):
        reservations.reserve(project, team, "r1", Spend(4), scope_value="ada")


def test_settling_is_idempotent_and_counts_beyond_the_limit(budgets, reservations, project, team):
    """What was spent is told as a total: again it counts once, more of it counts the rest."""
    reservations.reserve(project, team, "r1", Spend(4))
    for _ in range(2):
        assert reservations.settle(project, team, "r1", Spend(3)).state == "settled"
        assert standing(budgets, project, team) == (Spend(3), Spend())
    reservations.settle(project, team, "r1", Spend(12, 700))
    assert standing(budgets, project, team) == (Spend(12, 700), Spend())
    assert reservations.reserve(project, team, "r2", Spend(1)).state == "refused"


def test_a_partial_settlement_keeps_the_rest(budgets, reservations, project, team, now):
    """A lease reports as it goes: it lasts longer, keeps what it wants, frees the rest."""
    reservations.reserve(project, team, "r1", Spend(8), ttl_s=30)
    now.pass_by(seconds=20)
    answer = reservations.settle(project, team, "r1", Spend(2), final=False, ttl_s=30)
    assert (answer.state, answer.spent, answer.held) == ("open", Spend(2), Spend(6))
    now.pass_by(seconds=20)
    answer = reservations.settle(project, team, "r1", Spend(3), final=False, keep=Spend(1))
    assert (answer.state, answer.spent, answer.held) == ("open", Spend(3), Spend(1))
    assert reservations.release(project, team, "r1").held == Spend()
    assert standing(budgets, project, team) == (Spend(3), Spend())


def test_an_expired_reservation_comes_back_when_its_room_is_needed(
    budgets, reservations, project, team, now
):
    """A reservation of somebody who died is free after its time, and late spend still counts."""
    reservations.reserve(project, team, "dead", Spend(10), ttl_s=30)
    assert reservations.reserve(project, team, "r2", Spend(10)).state == "refused"
    now.pass_by(seconds=30)
    assert reservations.reserve(project, team, "r3", Spend(10)).state == "open"
    late = reservations.settle(project, team, "dead", Spend(2))
    assert (late.state, late.spent, late.held) == ("expired", Spend(2), Spend(10))


def test_the_sweep_gives_back_and_old_ones_are_forgotten(budgets, reservations, project, team, now):
    """What nobody needs comes back too; what ended a week ago is forgotten."""
    reservations.reserve(project, team, "r1", Spend(4), ttl_s=30)
    assert reservations.sweep() == 0
    now.pass_by(seconds=31)
    assert reservations.sweep() == 1
    assert standing(budgets, project, team) == (Spend(), Spend())
    assert reservations.prune() == 0
    now.pass_by(days=8)
    assert reservations.prune() == 1
    with pytest.raises(UnknownReservation):
        reservations.settle(project, team, "r1", Spend(1))


def test_a_part_is_granted_down_to_the_minimum(reservations, project, team):
    """With a minimum, what is there will do."""
    reservations.reserve(project, team, "r1", Spend(7))
    part = reservations.reserve(project, team, "r2", Spend(5), minimum=Spend(2))
    assert part.amount == Spend(3)
    assert reservations.reserve(project, team, "r3", Spend(5), minimum=Spend(1)).state == "refused"


def test_exchanging_a_lease_frees_the_old_one_in_one_step(budgets, reservations, project, team):
    """A larger lease replaces a smaller one; where it does not fit the old one stays."""
    reservations.reserve(project, team, "r1", Spend(6))
    new = reservations.reserve(
        project, team, "r2", Spend(8), replaces="r1", replaced_spent=Spend(2)
    )
    assert (new.state, new.spent, new.held) == ("open", Spend(2), Spend(8))
    again = reservations.reserve(
        project, team, "r3", Spend(9), replaces="r2", replaced_spent=Spend(1)
    )
    assert (again.state, again.spent, again.held) == ("refused", Spend(3), Spend(7))
    assert reservations.settle(project, team, "r2", Spend(1), final=False).state == "open"


def test_unlimited_counts_hold_nothing_and_are_counted(budgets, reservations, project, team):
    """Of what has no limit nothing is held; what is spent of it is known."""
    answer = reservations.reserve(project, team, "r1", Spend(1, 500, 700))
    assert answer.amount == Spend(1)
    reservations.settle(project, team, "r1", Spend(1, 500, 700))
    assert standing(budgets, project, team) == (Spend(1, 500, 700), Spend())


def test_large_sums_stay_whole_numbers(budgets, reservations, project):
    """Spend beyond what 64 bits hold is kept at a bound, and never wraps or becomes a fraction."""
    budgets.put(project, "large", Limits(pico_usd=10**18))
    for number in range(7):
        reservations.reserve(project, "large", f"r{number}", Spend())
    for number in range(7):
        reservations.settle(project, "large", f"r{number}", Spend(0, 0, 10**18))
    assert standing(budgets, project, "large")[0] == Spend(0, 0, 4 * 10**18)


def test_each_value_of_the_scope_has_a_pot(budgets, reservations, project):
    """One user's spending is not another's."""
    budgets.put(project, "users", Limits(calls=2), scope="user")
    for user in ("ada", "bob"):
        answer = reservations.reserve(project, "users", f"r-{user}", Spend(2), scope_value=user)
        assert answer.state == "open"
    assert budgets.reset(project, "users", "ada") == 1


def test_a_projects_budget_has_one_pot(reservations, project, team):
    """Nobody gets round a project's budget by naming a pot of their own."""
    assert reservations.reserve(project, team, "r1", Spend(10), scope_value="a").state == "open"
    assert reservations.reserve(project, team, "r2", Spend(1), scope_value="b").state == "refused"


def test_a_reset_forgets_spending_and_keeps_what_is_held(budgets, reservations, project, team):
    """After a reset a pot has everything but what is being spent now."""
    reservations.reserve(project, team, "r1", Spend(4))
    reservations.settle(project, team, "r1", Spend(1), final=False)
    assert budgets.reset(project, team) == 1
    assert standing(budgets, project, team) == (Spend(), Spend(3))
    assert reservations.reserve(project, team, "r2", Spend(7)).state == "open"


def test_a_period_begins_anew_at_its_end(budgets, reservations, project, now):
    """At midnight in the budget's zone, also when clocks change, a new pot begins."""
    budgets.put(project, "daily", Limits(calls=2), period="day", timezone="Europe/Berlin")
    # 28 March 2027 has 23 hours in Berlin: midnight is at 23:00 and then at 22:00 UTC.
    now.time = datetime(2027, 3, 27, 22, 59, 30, tzinfo=UTC)
    lease = reservations.reserve(project, "daily", "r1", Spend(2), ttl_s=3600)
    assert lease.expires_in == 30
    assert lease.resets_in == 30
    now.time = datetime(2027, 3, 27, 23, tzinfo=UTC)
    again = reservations.reserve(project, "daily", "r2", Spend(2), ttl_s=3600)
    assert (again.state, again.resets_in) == ("open", 23 * 3600)
    # What is told late is counted where it was reserved.
    reservations.settle(project, "daily", "r1", Spend(2))
    assert standing(budgets, project, "daily") == (Spend(), Spend(2))


def test_forty_threads_reserve_exactly_what_there_is(budgets, reservations, project, now):
    """Of 40 concurrent reservations on a budget of 10, ten are granted, and no update is lost."""
    budgets.put(project, "busy", Limits(calls=10))

    def one(number: int) -> str:
        name = f"reservation-{number}"
        state = reservations.reserve(project, "busy", name, Spend(1)).state
        if state == "open":
            reservations.settle(project, "busy", name, Spend(1))
        return state

    with ThreadPoolExecutor(8) as pool:
        states = list(pool.map(one, range(40)))
    assert states.count("open") == 10
    assert standing(budgets, project, "busy") == (Spend(10), Spend())


def test_one_reservation_asked_for_by_many_at_once_is_held_once(
    budgets, reservations, project, team
):
    """A client that is impatient, and asks again before the answer came, gets one reservation."""
    with ThreadPoolExecutor(8) as pool:
        answers = list(
            pool.map(lambda _: reservations.reserve(project, team, "r1", Spend(2)), range(8))
        )
    assert {answer.state for answer in answers} == {"open"}
    assert standing(budgets, project, team) == (Spend(), Spend(2))
