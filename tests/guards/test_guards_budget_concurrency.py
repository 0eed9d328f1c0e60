"""Budgets under many calls at once: as many as fit go out, and no other."""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from agentguard.errors import BudgetExceeded
from agentguard.guards.budget import BudgetGuard
from agentguard.guards.call import Call
from agentguard.guards.enforcement import admit, settle
from agentguard.guards.state import RunState
from agentguard.prices import Usage
from tests.guards.budgets import PRICES, budget_of, make, run_with


def admitted_of_threads(run: RunState, threads: int, **given: object) -> list[Call]:
    """The calls that went out, of one by each thread, all at the same time."""
    gate = threading.Barrier(threads)

    def one() -> Call | None:
        call = make(run, **given)
        gate.wait()
        try:
            admit(call)
        except BudgetExceeded:
            return None
        return call

    with ThreadPoolExecutor(threads) as pool:
        found = [pool.submit(one) for _ in range(threads)]
        return [call for each in found if (call := each.result()) is not None]


def admitted_of_tasks(run: RunState, tasks: int, **given: object) -> list[Call]:
    """The calls that went out, of one by each task, with all of them in flight at once."""
    admitted: list[Call] = []

    async def one(gate: asyncio.Event) -> None:
        call = make(run, **given)
        await gate.wait()
        try:
            admit(call)
        except BudgetExceeded:
            return
        admitted.append(call)
        await asyncio.sleep(0)

    async def all_of_them() -> None:
        gate = asyncio.Event()
        async with asyncio.TaskGroup() as group:
            for _ in range(tasks):
                group.create_task(one(gate))
            gate.set()

    asyncio.run(all_of_them())
    return admitted


AT_ONCE: list[Callable[..., list[Call]]] = [admitted_of_threads, admitted_of_tasks]


@pytest.mark.parametrize("at_once", AT_ONCE)
@pytest.mark.parametrize("turn", range(5))
def test_exactly_as_many_calls_as_allowed_go_out(at_once, turn):
    """Of fifty at the same time against a limit of ten, ten go out."""
    run = run_with(BudgetGuard(max_calls=10))
    assert len(at_once(run, 50)) == 10


@pytest.mark.parametrize("at_once", AT_ONCE)
@pytest.mark.parametrize(
    "limits", [{"max_cost_usd": 0.039, "prices": PRICES}, {"max_tokens": 39}, {"max_calls": 2}]
)
def test_a_cap_for_two_lets_two_out(at_once, limits):
    """Of twenty at once, two go out, both arrive, and neither is paid and thrown away."""
    run = run_with(BudgetGuard(**limits))
    admitted = at_once(run, 20)
    assert len(admitted) == 2
    for call in admitted:
        call.streamed_chars = 40
        call.usage = Usage(input=9, output=10)
        settle(call)
        assert call.outcome == "ok"
    budget = budget_of(run)
    assert (budget.spent.calls, budget.spent.tokens) == (2, 38)


def test_calls_of_unknown_length_do_not_share_what_is_left():
    """Where the estimate does not fit, one call may have all that is left, and no second one."""
    for _ in range(20):
        run = run_with(BudgetGuard(max_tokens=300))
        assert len(admitted_of_threads(run, 8, max_tokens=None)) == 1


def test_threads_that_settle_at_once_lose_nothing():
    """What many threads spend adds up to what they spent, and nothing stays held."""
    run = run_with(BudgetGuard(max_cost_usd=10_000, prices=PRICES))

    def work() -> None:
        for number in range(200):
            call = make(run)
            admit(call)
            if number % 3:
                call.usage = Usage(input=4, output=3)
                settle(call)
            elif number % 2:
                settle(call, "error")
            else:
                settle(call, "refused")

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    counted = sum(1 for number in range(200) if number % 3)
    failed = sum(1 for number in range(200) if not number % 3 and number % 2)
    budget = budget_of(run)
    assert budget.spent.calls == 8 * (counted + failed)
    assert budget.spent.tokens == 8 * counted * 7
    (account,) = budget._accounts.all()
    assert account.ledger.held == (0, 0, 0)


def test_a_warning_is_given_once_to_many_threads():
    """Calls that pass the fraction together warn once between them."""
    heard: list[str] = []
    run = run_with(BudgetGuard(max_calls=50, warn_at_pct=0.2, on_warning=heard.append))
    admitted = admitted_of_threads(run, 40)
    gate = threading.Barrier(40)

    def end(call: Call) -> None:
        gate.wait()
        settle(call)

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(end, admitted))
    assert len(heard) == 1
