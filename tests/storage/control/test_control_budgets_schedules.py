"""Whatever happens in whatever order: no budget is overdrawn by what was granted."""

from __future__ import annotations

import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from agentguard.budgets.spend import Limits, Spend
from agentguard_storage.control import Budgets, ControlDatabase, Projects, Reservations, upgrade

AMOUNTS = st.builds(Spend, st.integers(0, 4), st.integers(0, 400), st.integers(0, 9))
IDS = st.integers(0, 12)


class Schedules(RuleBasedStateMachine):
    """Reserve, exchange, settle, release, let expire, sweep and reset, on SQLite."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory()
        url = f"sqlite:///{Path(self.folder.name) / 'control.db'}"
        upgrade(url)
        self.database = ControlDatabase(url)
        self.project = Projects(self.database).ensure_default().id
        self.time = datetime(2027, 1, 1, tzinfo=UTC)
        self.budgets = Budgets(self.database, lambda: self.time)
        self.reservations = Reservations(self.database, lambda: self.time)
        self.limits = Limits(10, 900, 20)
        self.told: dict[str, Spend] = {}
        self.spent = Spend()

    @initialize()
    def begin(self) -> None:
        """There is one budget."""
        self.budgets.put(self.project, "team", self.limits)
        self.team = self.budgets.get(self.project, "team")

    @rule(number=IDS, amount=AMOUNTS, least=st.booleans(), old=st.none() | IDS)
    def reserve(self, number: int, amount: Spend, least: bool, old: int | None) -> None:
        """A reservation, perhaps in exchange for another, with an id that is new."""
        name = f"r{len(self.told)}-{number}"
        replaces = None if old is None else self.any_of(old)
        answer = self.reservations.reserve(
            self.project,
            "team",
            name,
            amount,
            minimum=Spend() if least else None,
            ttl_s=30,
            replaces=replaces,
            replaced_spent=self.told.get(replaces or "", Spend()),
        )
        if answer.state == "open":
            self.told[name] = Spend()
            for limit, spent, held, granted in zip(
                self.limits, answer.spent, answer.held, answer.amount, strict=True
            ):
                # What was spent without a reservation may have passed the limit already.
                assert not granted or spent + held <= limit

    @rule(number=IDS, more=AMOUNTS, final=st.booleans(), keep=st.none() | AMOUNTS)
    def settle(self, number: int, more: Spend, final: bool, keep: Spend | None) -> None:
        """Somebody tells what was spent so far, perhaps twice."""
        name = self.any_of(number)
        if name is not None:
            self.told[name] += more
            self.spent += more
            for _ in range(2):
                self.reservations.settle(
                    self.project, "team", name, self.told[name], final=final, keep=keep, ttl_s=30
                )

    @rule(number=IDS)
    def release(self, number: int) -> None:
        """Somebody gives back a reservation."""
        name = self.any_of(number)
        if name is not None:
            self.reservations.release(self.project, "team", name)

    @rule(seconds=st.integers(1, 40), sweep=st.booleans())
    def wait(self, seconds: int, sweep: bool) -> None:
        """Time passes, and what expired may be swept."""
        self.time += timedelta(seconds=seconds)
        if sweep:
            self.reservations.sweep()

    @rule()
    def reset(self) -> None:
        """The budget begins anew."""
        if self.budgets.reset(self.project, "team"):
            self.spent = Spend()

    @invariant()
    def spend_is_counted_once(self) -> None:
        """The pot has what was told, no more and no less, and holds nothing negative."""
        for pot in self.budgets.standings(self.team):
            assert pot.spent == self.spent
            assert all(held >= 0 for held in pot.held)

    def teardown(self) -> None:
        """At the end everything expires, and nothing is held."""
        self.time += timedelta(hours=1)
        self.reservations.sweep()
        for pot in self.budgets.standings(self.team):
            assert pot.held == Spend()
        self.database.close()
        self.folder.cleanup()

    def any_of(self, number: int) -> str | None:
        """One of the reservations that were granted."""
        names = list(self.told)
        return names[number % len(names)] if names else None


TestSchedules = Schedules.TestCase
TestSchedules.settings = settings(
    max_examples=25,
    stateful_step_count=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
