"""What a budget refuses, counts and says."""

import copy
import logging
import pickle
from decimal import Decimal

import pytest

from agentguard.errors import BudgetExceeded
from agentguard.guards.budget import BudgetGuard
from agentguard.guards.enforcement import admit, settle
from agentguard.guards.guard import Guard
from agentguard.prices import Usage
from tests.guards.budgets import PRICES, TOKEN_USD, budget_of, make, run_with, send


def test_the_call_beyond_the_limit_is_refused():
    """Of calls limited to three, three go out, and the run is over with the fourth."""
    run = run_with(BudgetGuard(max_calls=3))
    for _ in range(3):
        send(run)
    with pytest.raises(BudgetExceeded, match="3 of 3 calls made; raise max_calls"):
        send(run)
    assert budget_of(run).spent.calls == 3
    assert run.stopped is not None


def test_a_refusal_gives_its_figures():
    """The stop says which limit it was, in which unit, and what it would have come to."""
    run = run_with(BudgetGuard(max_cost_usd=0.05, prices=PRICES))
    send(run, used=40)
    with pytest.raises(BudgetExceeded) as refused:
        send(run)
    stop = refused.value.stop
    assert (stop.guard, stop.unit, stop.limit) == ("budget", "USD", 0.05)
    assert stop.used == pytest.approx(0.059)
    assert "$0.040 of $0.050 spent, this call needs about $0.019" in stop.reason


def test_real_usage_takes_the_place_of_the_estimate():
    """A call holds its estimate while it runs, and afterwards counts what it used."""
    run = run_with(BudgetGuard(max_tokens=100))
    call = make(run)
    admit(call)
    held = budget_of(run).left.tokens
    assert held is not None
    assert 75 <= held <= 85
    call.usage = Usage(input=3, cache_read=2, cache_write=1, output=4, reasoning=5)
    settle(call)
    assert budget_of(run).left.tokens == 85
    assert budget_of(run).spent.tokens == 15


def test_dollars_are_counted_exactly():
    """A hundred calls at a price that no binary fraction holds cost a hundred times the price."""
    run = run_with(BudgetGuard(max_cost_usd=1000, prices=PRICES))
    for _ in range(100):
        send(run, used=7)
    assert budget_of(run).cost_usd == 700 * TOKEN_USD


def test_a_stated_cost_counts_and_not_the_price():
    """A call that says itself what it cost is counted with that."""
    run = run_with(BudgetGuard(max_cost_usd=1, prices=PRICES))
    call = make(run)
    admit(call)
    call.usage, call.cost = Usage(input=50), Decimal("0.25")
    settle(call)
    assert budget_of(run).cost_usd == Decimal("0.25")


def test_a_run_that_overspent_ends_with_the_call_that_did_it():
    """A call that used more than it was given stops the run at once, and says so."""
    run = run_with(BudgetGuard(max_tokens=30))
    send(run, used=45)
    assert run.stopped is not None
    assert "45 of 30 tokens used: the last call used more than was estimated" in run.stopped.reason


@pytest.mark.parametrize(
    ("outcome", "tokens"),
    [("ok", 18), ("error", 0), ("cancelled", 8), ("abandoned", 8)],
)
def test_calls_that_nobody_counted(outcome, tokens):
    """Success counts as estimated, failure as a call, a broken off one as what it sent."""
    run = run_with(BudgetGuard(max_tokens=1000))
    send(run, used=None, outcome=outcome)
    spent = budget_of(run).spent
    assert spent.calls == 1
    assert spent.tokens == pytest.approx(tokens, abs=2)
    assert budget_of(run).left.tokens == 1000 - spent.tokens


def test_a_failed_call_that_was_counted_is_paid():
    """Usage that is known counts, however the call ended."""
    run = run_with(BudgetGuard(max_tokens=1000))
    send(run, used=33, outcome="error")
    assert budget_of(run).spent.tokens == 33


def test_a_call_that_another_guard_refuses_costs_nothing():
    """What was held for it comes back, and it is no call."""

    class Never(Guard):
        def on_start(self, call):
            return self.stop("never")

    run = run_with(BudgetGuard(max_calls=5, max_tokens=1000), Never())
    with pytest.raises(Exception, match="never"):
        send(run)
    budget = budget_of(run)
    assert budget.spent == (0, 0, 0)
    assert budget.left[:2] == (5, 1000)


def test_retries_of_a_call_are_one_call():
    """However often it is sent, a call is reserved for and counted once."""
    run = run_with(BudgetGuard(max_calls=1))
    call = make(run)
    admit(call)
    call.attempts = 3
    settle(call)
    settle(call)
    assert budget_of(run).spent.calls == 1


def test_the_inside_of_a_call_counts_with_it():
    """A framework's span around a model call, with that of the client inside, is one call."""
    run = run_with(BudgetGuard(max_calls=10))
    outer = make(run)
    admit(outer)
    inner = make(run, parent=outer)
    admit(inner)
    settle(inner)
    settle(outer)
    assert budget_of(run).spent.calls == 1


def test_a_budget_on_two_levels_counts_a_call_once():
    """A guard that is given to a run and to one inside it takes a call from its budget once."""
    guard = BudgetGuard(limit="10 calls/hour")
    outer = run_with(guard)
    inner = run_with(guard, parent=outer, name="inner")
    send(inner)
    assert guard.spent.calls == 1


def test_a_run_inside_another_spends_both_budgets():
    """A call counts in the budget of every run that it is part of."""
    outer = run_with(BudgetGuard(max_calls=3))
    inner = run_with(BudgetGuard(max_calls=2), parent=outer, name="inner")
    send(inner)
    send(outer)
    assert budget_of(outer).spent.calls == 2
    assert budget_of(inner).spent.calls == 1


def test_a_call_lost_on_its_way_counts_as_spent():
    """One that a dead task never settled ends its reservation, and is not free."""
    run = run_with(BudgetGuard(max_calls=2, max_tokens=1000))
    call = make(run)
    admit(call)
    held = 1000 - budget_of(run).left.tokens
    del call
    assert budget_of(run).spent.calls == 1
    assert budget_of(run).spent.tokens == held
    send(run)
    with pytest.raises(BudgetExceeded):
        send(run)


def test_small_budgets_can_be_used():
    """Without `max_tokens` a call may begin with whatever is left, but not two at once."""
    run = run_with(BudgetGuard(max_tokens=200))
    first = make(run, max_tokens=None)
    admit(first)
    with pytest.raises(BudgetExceeded):
        admit(make(run, max_tokens=None))
    first.usage = Usage(input=10, output=20)
    settle(first)
    assert budget_of(run).spent.tokens == 30


def test_what_is_left_is_not_lent_twice():
    """A call of unknown length waits for those in flight: what it would get is not its estimate."""
    run = run_with(BudgetGuard(max_tokens=200))
    first = make(run, max_tokens=100)
    admit(first)
    with pytest.raises(BudgetExceeded):
        admit(make(run, max_tokens=None))
    settle(first)


def test_a_prompt_that_does_not_fit_is_not_sent():
    """Where what is sent alone is over the limit, whatever is left will not do."""
    run = run_with(BudgetGuard(max_tokens=200))
    with pytest.raises(BudgetExceeded):
        send(run, max_tokens=None, content="x" * 2000)


def test_only_model_calls_count_unless_told_otherwise():
    """Tools and agents are free, and are counted where `kinds` names them."""
    run = run_with(BudgetGuard(max_calls=1))
    for kind in ("tool", "agent", "retrieval", "workflow"):
        send(run, kind=kind)
    assert budget_of(run).spent.calls == 0
    run = run_with(BudgetGuard(max_calls=2, max_tokens=50, kinds=["tool"]))
    send(run)
    send(run, used=None, kind="tool")
    assert budget_of(run).spent == (1, 0, 0)


def test_a_warning_is_given_once():
    """At the fraction of any limit the callback hears one sentence, and no more of them."""
    heard = []
    run = run_with(BudgetGuard(max_calls=10, warn_at_pct=0.8, on_warning=heard.append))
    for number in range(10):
        send(run)
        assert len(heard) == (number >= 7)
    assert heard == ["80% of the budget is gone: 8 of 10 calls made"]


def test_a_warning_without_a_callback_is_logged(caplog):
    """Nobody has to write a callback to be warned."""
    run = run_with(BudgetGuard(max_calls=2, warn_at_pct=0.5))
    with caplog.at_level(logging.WARNING, "agentguard"):
        send(run)
    assert "50% of the budget is gone" in caplog.text


def test_a_callback_that_fails_stops_nothing(caplog):
    """A bug in `on_warning` is logged, and the call goes its way."""

    def broken(sentence):
        raise RuntimeError("no pager")

    run = run_with(BudgetGuard(max_calls=2, warn_at_pct=0.5, on_warning=broken))
    send(run)
    assert "no pager" in caplog.text
    assert run.stopped is None


@pytest.mark.parametrize("mode", ["warn", "observe"])
def test_what_is_not_enforced_refuses_nothing(mode, spans):
    """In the other modes every call goes out and counts, and one objection is recorded."""
    run = run_with(BudgetGuard(max_calls=2, max_tokens=100, mode=mode))
    for _ in range(6):
        send(run)
    assert budget_of(run).spent == (6, 120, 0)
    assert run.stopped is None
    assert spans.attributes("guard budget")["agentguard.guard.action"] == mode


def test_a_refusal_can_be_pickled():
    """The exception goes to another process with all that it says."""
    run = run_with(BudgetGuard(max_calls=0))
    with pytest.raises(BudgetExceeded) as refused:
        send(run)
    copied = pickle.loads(pickle.dumps(refused.value))  # noqa: S301 - made here
    assert str(copied) == str(refused.value)
    assert copied.stop == refused.value.stop


def test_each_run_has_a_budget_of_its_own():
    """A guard given to two runs is a pattern: what one spends leaves the other alone."""
    guard = BudgetGuard(max_calls=1)
    for name in ("first", "second"):
        run = run_with(guard, name=name)
        send(run)
        assert guard.spent.calls == 1


def test_a_copy_is_the_same_pattern():
    """Frameworks that copy what they are given get a budget of the same make, with its rules."""
    for guard in (BudgetGuard(max_calls=1, max_cost_usd=5, prices=PRICES), BudgetGuard(1000)):
        run = run_with(copy.deepcopy(guard))
        send(run)
        assert budget_of(run).spent.calls == 1
        assert guard.spent.calls == 0


def test_a_copy_of_a_budget_that_outlives_runs_spends_it_too():
    """Otherwise a framework that copies would double what may be spent in an hour."""
    guard = BudgetGuard(limit="1 call/hour")
    send(run_with(copy.deepcopy(guard)))
    with pytest.raises(BudgetExceeded):
        send(run_with(guard))
