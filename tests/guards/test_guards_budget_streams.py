"""Streamed answers and budgets: cut once the money is gone, and never for somebody else's sake."""

import pytest

from agentguard.errors import BudgetExceeded
from agentguard.guards.budget import BudgetGuard
from agentguard.guards.call import Call
from agentguard.guards.enforcement import admit, proceed, settle
from agentguard.guards.state import RunState
from agentguard.prices import Usage
from tests.guards.budgets import PRICES, budget_of, make, run_with, send, stream


def stream_on(call: Call) -> None:
    """Piece after piece of an answer that does not end by itself."""
    for _ in range(10_000):
        stream(call, 20)


@pytest.mark.parametrize(
    "guard",
    [BudgetGuard(max_tokens=2_000), BudgetGuard(max_cost_usd=2, prices=PRICES)],
    ids=["tokens", "dollars"],
)
def test_a_stream_is_cut_in_the_middle(guard):
    """An answer that nobody bounded goes on until the budget is gone, and ends there."""
    run = run_with(guard)
    call = make(run, max_tokens=None)
    admit(call)
    with pytest.raises(BudgetExceeded, match="more than was put aside"):
        stream_on(call)
    settle(call, "cancelled")
    budget = budget_of(run)
    assert 1_900 <= budget.spent.tokens <= 2_000 + 10
    assert call.streamed_chars == pytest.approx(2_000 * 2.5, rel=0.05)


def test_an_answer_within_its_max_tokens_is_never_cut():
    """A request that bounded its answer was reserved for in full, whatever its text looks like."""
    run = run_with(BudgetGuard(max_tokens=19))
    call = make(run)
    admit(call)
    stream(call, 70)
    call.usage = Usage(input=9, output=10)
    settle(call)
    assert budget_of(run).spent.tokens == 19


def test_a_stream_grows_within_what_is_left():
    """A long answer that fits into the budget arrives whole, and counts as its provider counts."""
    run = run_with(BudgetGuard(max_tokens=100_000))
    call = make(run, max_tokens=None)
    admit(call)
    for _ in range(1_000):
        stream(call, 20)
    call.usage = Usage(input=9, output=5_000)
    settle(call)
    assert budget_of(run).spent.tokens == 5_009
    assert budget_of(run).left.tokens == 100_000 - 5_009


def test_a_refused_call_does_not_cut_those_that_run():
    """The budget that is too small for a third call is no reason to end the two before it."""
    run = run_with(BudgetGuard(max_tokens=40))
    first, second = make(run), make(run)
    admit(first)
    admit(second)
    with pytest.raises(BudgetExceeded):
        send(run)
    for call in (first, second):
        stream(call, 25)
        call.usage = Usage(input=9, output=10)
        settle(call)
    assert budget_of(run).spent.tokens == 38


def test_a_stream_that_broke_off_counts_what_arrived():
    """Where nobody counted, the text that came in stands for its tokens."""
    run = run_with(BudgetGuard(max_tokens=10_000))
    call = make(run, max_tokens=None)
    admit(call)
    stream(call, 1_000)
    settle(call, "abandoned")
    assert budget_of(run).spent.tokens == pytest.approx(9 + 400, abs=2)


def test_the_count_that_a_stream_began_with_is_not_believed():
    """Some providers count one token of answer at the start: what arrived by then counts more."""
    run = run_with(BudgetGuard(max_tokens=10_000))
    call = make(run, max_tokens=None)
    admit(call)
    stream(call, 1_000)
    call.usage = Usage(input=50, output=1)
    settle(call, "cancelled")
    assert budget_of(run).spent.tokens == pytest.approx(50 + 400, abs=2)


def test_the_text_of_a_model_is_learnt():
    """Once a provider has counted an answer, the next one's text is measured by that."""
    run = run_with(BudgetGuard(max_tokens=10_000))
    call = make(run, max_tokens=None)
    admit(call)
    stream(call, 4_000)
    call.usage = Usage(input=9, output=1_000)
    settle(call)
    again = make(run, max_tokens=None)
    admit(again)
    stream(again, 4_000)
    settle(again, "abandoned")
    assert budget_of(run).spent.tokens == pytest.approx(1_009 + 1_009, abs=10)


@pytest.mark.parametrize("mode", ["warn", "observe"])
def test_a_stream_is_not_cut_where_nothing_is_enforced(mode):
    """The answer arrives whole, and all of it counts."""
    run = run_with(BudgetGuard(max_tokens=100, mode=mode))
    call = make(run, max_tokens=None)
    admit(call)
    for _ in range(100):
        stream(call, 100)
    settle(call)
    assert budget_of(run).spent.tokens == pytest.approx(9 + 4_000, abs=5)
    assert run.stopped is None


def test_a_server_that_ignores_max_tokens_is_cut():
    """An answer that is far longer than its request allows is cut where the budget ends."""
    run = RunState("r", "1", [BudgetGuard(max_tokens=600)])
    call = Call("llm", "m", run, max_tokens=10, content="hi")
    admit(call)

    def go_on() -> None:
        for _ in range(100):
            proceed(call)
            call.streamed_chars += 200

    with pytest.raises(BudgetExceeded):
        go_on()
    assert 160 < call.streamed_chars < 5_000
