"""Any order of calls that begin, stream, end, fail, are cancelled, refused or lost."""

from __future__ import annotations

import gc
from dataclasses import dataclass, field

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agentguard.budgets.ledger import LocalLedger
from agentguard.budgets.spend import Limits, Spend
from agentguard.budgets.window import RollingSum
from agentguard.errors import Refused
from agentguard.guards.budget import BudgetGuard
from agentguard.guards.call import Call, Outcome
from agentguard.guards.enforcement import admit, proceed, settle
from agentguard.guards.guard import Guard
from agentguard.guards.state import RunState
from agentguard.prices import Usage
from tests.guards.budgets import PRICES, budget_of, make, run_with

BEGIN = st.tuples(
    st.just("begin"), st.integers(0, 300), st.none() | st.integers(1, 80), st.booleans()
)
STEPS = st.lists(
    st.one_of(
        BEGIN,
        BEGIN,
        st.tuples(st.just("stream"), st.integers(0, 9), st.integers(1, 400)),
        st.tuples(st.just("end"), st.integers(0, 9), st.none() | st.integers(0, 150)),
        st.tuples(st.just("fail"), st.integers(0, 9), st.none() | st.integers(0, 20)),
        st.tuples(st.just("cancel"), st.integers(0, 9), st.none()),
        st.tuples(st.just("abandon"), st.integers(0, 9), st.none()),
        st.tuples(st.just("crash"), st.integers(0, 9), st.none()),
    ),
    min_size=5,
    max_size=60,
)
LIMITS = st.fixed_dictionaries(
    {},
    optional={
        "max_calls": st.integers(0, 12),
        "max_tokens": st.integers(0, 600),
        "max_cost_usd": st.integers(0, 600).map(lambda tokens: tokens / 1000),
    },
).filter(bool)


class _Moody(Guard):
    """Refuses the calls that are marked, after the budget has reserved for them."""

    def on_start(self, call: Call) -> object:
        return self.deny("not this one") if "unwanted" in call.attributes else None


@dataclass
class _Agent:
    """Does what a schedule says, and keeps its own books."""

    run: RunState
    flying: list[Call] = field(default_factory=list)
    errors: Spend = field(default_factory=Spend)
    """What calls used beyond what was held for them."""

    @property
    def budget(self) -> BudgetGuard:
        return budget_of(self.run)

    def held_for(self, call: Call) -> Spend:
        return Spend(*call.held[self.budget._accounts].amount)

    def begin(self, size: int, most: int | None, unwanted: bool) -> None:
        marks = {"unwanted": True} if unwanted and size % 5 == 0 else {}
        call = make(self.run, content="x" * size, max_tokens=most, attributes=marks)
        try:
            admit(call)
        except Refused:
            # An agent that goes on whatever it is told.
            self.run.stopped = None
            return
        self.flying.append(call)

    def stream(self, which: int, chars: int) -> None:
        call = self.flying[which % len(self.flying)]
        call.streamed_chars += chars
        try:
            proceed(call)
        except Refused:
            self.run.stopped = None
            self.end(which, None, "cancelled")

    def end(self, which: int, used: int | None, outcome: Outcome) -> None:
        call = self.flying.pop(which % len(self.flying))
        if used is not None:
            call.usage = Usage(input=used // 2, output=used - used // 2)
        held, before = self.held_for(call), self.budget.spent
        settle(call, outcome)
        used_up = self.budget.spent - before
        beyond = used_up - held
        self.errors += Spend(0, max(0, beyond.tokens), max(0, beyond.pico_usd))
        assert used_up.calls == 1
        self.run.stopped = None  # again, what it is told does not stop it

    def crash(self, which: int) -> None:
        del self.flying[which % len(self.flying)]
        gc.collect(0)


OUTCOMES: dict[str, Outcome] = {
    "end": "ok",
    "fail": "error",
    "cancel": "cancelled",
    "abandon": "abandoned",
}


def play(agent: _Agent, steps: list[tuple[object, ...]]) -> None:
    """Do the steps, those that need a call in flight where there is one."""
    for name, *given_to in steps:
        if name == "begin":
            agent.begin(*given_to)
        elif agent.flying:
            which, amount = given_to
            assert isinstance(which, int)
            if name == "stream":
                agent.stream(which, amount)
            elif name == "crash":
                agent.crash(which)
            else:
                agent.end(which, amount, OUTCOMES[str(name)])
        check(agent)


def check(agent: _Agent) -> None:
    """What is spent and held is within every limit, but for what calls took unasked."""
    budget = agent.budget
    (account,) = budget._accounts.all() or [budget._accounts.only()]
    taken = account.ledger.spent + account.ledger.held
    calls, tokens, pico = account.ledger.limits
    assert calls is None or taken.calls <= calls
    assert tokens is None or taken.tokens <= tokens + agent.errors.tokens
    assert pico is None or taken.pico_usd <= pico + agent.errors.pico_usd


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(limits=LIMITS, steps=STEPS)
def test_no_schedule_spends_more_than_is_left(limits, steps):
    """Spending passes a limit by what calls in flight took beyond their estimate, and no more."""
    guard = BudgetGuard(**limits, prices=PRICES)
    agent = _Agent(run_with(guard, _Moody()))
    play(agent, steps)
    while agent.flying:
        agent.end(0, None, "ok")
        check(agent)
    (account,) = agent.budget._accounts.all() or [agent.budget._accounts.only()]
    assert account.ledger.held == (0, 0, 0)


@settings(max_examples=200, deadline=None)
@given(
    limit=st.integers(1, 400),
    sizes=st.lists(st.tuples(st.integers(0, 200), st.integers(1, 60), st.integers(0, 400))),
)
def test_one_call_at_a_time_overspends_by_its_own_error(limit, sizes):
    """With one call in flight, the budget is passed once, by what that call was off."""
    run = run_with(BudgetGuard(max_tokens=limit))
    budget = budget_of(run)
    for size, most, used in sizes:
        call = make(run, content="x" * size, max_tokens=most)
        try:
            admit(call)
        except Refused:
            assert run.stopped is not None
            break
        assert budget.spent.tokens <= limit
        held = call.held[budget._accounts].amount[1]
        call.usage = Usage(input=used)
        settle(call)
        assert budget.spent.tokens <= limit + max(0, used - held)


@settings(max_examples=300, deadline=None)
@given(
    window=st.floats(0.01, 10_000),
    events=st.lists(st.tuples(st.floats(0, 3), st.integers(0, 1_000)), min_size=1, max_size=60),
)
def test_spending_comes_back_a_window_later_and_never_sooner(window, events):
    """A rolling sum is at least what was spent within the window, and at most 1% behind."""
    past, now, total = RollingSum(window), 0.0, 0
    spent: list[tuple[float, int]] = []
    for wait, tokens in events:
        now += wait * window
        total -= past.expire(now).tokens
        past.add(now, Spend(1, tokens))
        total += tokens
        spent.append((now, tokens))
        within = sum(amount for at, amount in spent if at > now - window)
        lately = sum(amount for at, amount in spent if at >= now - window * 1.0101)
        assert within <= total <= lately


@settings(max_examples=200, deadline=None)
@given(
    limit=st.integers(1, 50),
    steps=st.lists(st.tuples(st.floats(0, 30), st.integers(1, 20)), min_size=1, max_size=80),
)
def test_no_window_holds_more_than_its_limit(limit, steps):
    """Wherever a minute begins, what was spent within it is at most what a minute allows."""
    now = [0.0]
    ledger = LocalLedger(Limits(tokens=limit), 60.0, lambda: now[0])
    spent: list[tuple[float, int]] = []
    for wait, tokens in steps:
        now[0] += wait
        amount = Spend(1, tokens)
        short = ledger.reserve(amount)
        if short is None:
            ledger.settle(amount, amount)
            spent.append((now[0], tokens))
        elif tokens <= limit:
            assert short.wait is not None
            now[0] += short.wait + 1e-6
            assert ledger.reserve(amount) is None
            ledger.release(amount)
        for begin, _ in spent:
            within = sum(each for at, each in spent if begin <= at < begin + 60)
            assert within <= limit
    assert ledger.held == (0, 0, 0)
