"""Budgets that several processes spend, kept by a running collector."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from agentguard.budgets.client import ControlClient
from agentguard.budgets.lease import LeasedLedger
from agentguard.budgets.leasing import give_back_all
from agentguard.budgets.shared_errors import BudgetRefused, BudgetUnreachable
from agentguard.budgets.spend import ONE_CALL, Limits, Spend
from agentguard.config import Settings
from agentguard.errors import BudgetExceeded, ConfigurationError
from agentguard.guards.budget import BudgetGuard
from agentguard.runtime import runtime
from agentguard_storage.control.budgets import Standing
from tests.collector.conftest import Collector, Home, make_home, wait_until
from tests.collector.faulty_proxy import FaultyProxy, faulty_proxy
from tests.collector.recording_store import RecordingStore, serve
from tests.guards.budgets import run_with, send

HAMMER = """
import sys
from agentguard.budgets.lease import LeasedLedger
from agentguard.budgets.spend import ONE_CALL
ledger = LeasedLedger(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
sent = 0
while ledger.reserve(ONE_CALL) is None:
    sent += 1
    ledger.settle(ONE_CALL, ONE_CALL)
print(sent, flush=True)
"""

HOLDER = """
import sys, time
from agentguard.budgets.lease import LeasedLedger
from agentguard.budgets.spend import ONE_CALL
ledger = LeasedLedger(sys.argv[1], ttl=2.0)
assert ledger.reserve(ONE_CALL) is None
print("leased", flush=True)
time.sleep(60)
"""

FORKER = """
import os, sys
from agentguard.budgets.lease import LeasedLedger
from agentguard.budgets.spend import ONE_CALL, Spend
ledger = LeasedLedger(sys.argv[1])
sent = 0
for _ in range(3):
    assert ledger.reserve(ONE_CALL) is None
    ledger.settle(ONE_CALL, ONE_CALL)
child = os.fork()
assert ledger.held == Spend()
while ledger.reserve(ONE_CALL) is None:
    sent += 1
    ledger.settle(ONE_CALL, ONE_CALL)
print(sent, flush=True)
if child:
    assert os.waitpid(child, 0)[1] == 0
"""


@dataclass
class Stack:
    """A collector, its control plane, and the environment of processes that use it."""

    collector: Collector
    home: Home
    dsn: str

    def budget(self, limits: Limits, **more: str) -> str:
        """Set up a budget of that test alone; its name."""
        name = f"budget-{secrets.token_hex(4)}"
        self.home.control.budgets.put(self.home.project_id, name, limits, **more)
        return name

    def pots(self, name: str) -> list[Standing]:
        """How the budget's pots stand."""
        budgets = self.home.control.budgets
        return budgets.standings(budgets.get(self.home.project_id, name))

    @property
    def environment(self) -> dict[str, str]:
        """What a process needs to find the collector."""
        return {
            **os.environ,
            "AGENTGUARD_ENDPOINT": self.collector.url,
            "AGENTGUARD_API_KEY": self.collector.key,
        }

    def start(self, program: str, name: str) -> subprocess.Popen[str]:
        """A process that spends the budget."""
        return subprocess.Popen(
            [sys.executable, "-c", program, name],
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A collector for all tests that leave it running."""
    home = make_home(tmp_path_factory.mktemp("shared") / "data")
    with serve(RecordingStore()) as address:
        collector = home.start(address)
        yield Stack(collector, home, address)
        collector.client.close()
        collector.process.stop()
    home.control.close()


@pytest.fixture(autouse=True)
def configured(stack: Stack) -> Iterator[None]:
    """This process sends to the collector, as after `init`."""
    runtime.settings = Settings(endpoint=stack.collector.url, api_key=stack.collector.key)
    yield
    give_back_all()
    runtime.settings = None


def spend_all(ledger: LeasedLedger) -> int:
    """Make calls until one is refused; how many went out."""
    sent = 0
    while ledger.reserve(ONE_CALL) is None:
        sent += 1
        ledger.settle(ONE_CALL, ONE_CALL)
    return sent


def test_eight_processes_spend_a_hundred_calls(stack):
    """Eight processes that hammer a budget of 100 calls let exactly 100 out, together."""
    name = stack.budget(Limits(calls=100))
    processes = [stack.start(HAMMER, name) for _ in range(8)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    counts = [int(process.communicate(timeout=60)[0]) for process in processes]
    assert sum(counts) == 100
    (pot,) = stack.pots(name)
    assert (pot.spent.calls, pot.held) == (100, Spend())


def test_what_is_leased_by_the_dead_comes_back(stack):
    """A process killed with a lease gives it back with its expiry, and nothing is lost."""
    name = stack.budget(Limits(calls=8))
    process = stack.start(HOLDER, name)
    assert process.stdout is not None
    assert process.stdout.readline() == "leased\n"
    assert stack.pots(name)[0].held.calls >= 1
    process.send_signal(signal.SIGKILL)
    process.communicate()
    ledger = LeasedLedger(name)
    assert spend_all(ledger) == 7
    wait_until(lambda: ledger.reserve(ONE_CALL) is None, 10)
    ledger.settle(ONE_CALL, ONE_CALL)
    assert ledger.reserve(ONE_CALL) is not None


def test_the_child_of_a_fork_begins_with_nothing(stack):
    """Parent and child share the budget and not the lease: together they spend it once."""
    name = stack.budget(Limits(calls=40))
    process = stack.start(FORKER, name)
    counts = [int(line) for line in process.communicate(timeout=30)[0].split()]
    assert process.returncode == 0
    assert len(counts) == 2
    assert sum(counts) == 37
    assert stack.pots(name)[0].spent.calls == 40


def test_threads_of_one_process_spend_exactly_what_there_is(stack):
    """Twenty threads on a budget of 200 calls: 200 go out."""
    name = stack.budget(Limits(calls=200))
    ledger = LeasedLedger(name)
    counts: list[int] = []
    threads = [threading.Thread(target=lambda: counts.append(spend_all(ledger))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(counts) == 200
    give_back_all()
    (pot,) = stack.pots(name)
    assert (pot.spent.calls, pot.held) == (200, Spend())


def test_spend_is_reported_within_seconds_and_the_idle_give_back(stack):
    """What was spent is known to all a second later; who stops asking holds nothing for long."""
    name = stack.budget(Limits(calls=100))
    ledger = LeasedLedger(name)
    assert ledger.reserve(ONE_CALL) is None
    ledger.settle(ONE_CALL, ONE_CALL)
    wait_until(lambda: stack.pots(name)[0].spent.calls == 1, 5)
    assert ledger.spent.calls == 1
    wait_until(lambda: stack.pots(name)[0].held == Spend(), 8)
    assert spend_all(ledger) == 99


def test_a_call_in_flight_keeps_its_place_while_the_process_is_idle(stack):
    """What is not in flight goes back; what is stays held, longer than a lease lasts."""
    name = stack.budget(Limits(calls=100))
    ledger = LeasedLedger(name, ttl=2.0)
    assert ledger.reserve(ONE_CALL) is None
    wait_until(lambda: stack.pots(name)[0].held.calls == 1, 8)
    end = time.monotonic() + 3
    wait_until(lambda: time.monotonic() > end)
    assert stack.pots(name)[0].held.calls == 1
    ledger.settle(ONE_CALL, ONE_CALL)
    wait_until(lambda: stack.pots(name)[0].held == Spend(), 8)
    assert stack.pots(name)[0].spent.calls == 1


def test_dollars_and_tokens_are_shared_too(stack):
    """A reservation has to fit into each limit; what was spent beyond it counts as well."""
    name = stack.budget(Limits(tokens=1000, pico_usd=10**12))
    ledger = LeasedLedger(name)
    held = Spend(1, 400, 5 * 10**11)
    assert ledger.reserve(held) is None
    assert ledger.reserve(held) is None
    short = ledger.reserve(held)
    assert short is not None
    assert (short.unit, short.limit, short.used) == ("tokens", 1000, 800)
    ledger.settle(held, Spend(1, 900, 9 * 10**11))
    reached = ledger.settle(held, Spend(1, 400, 5 * 10**11))
    assert reached is not None
    assert reached.passed
    give_back_all()
    assert stack.pots(name)[0].spent == Spend(2, 1300, 14 * 10**11)


def restartable(stack: Stack, directory: Path) -> Iterator[tuple[Home, Collector]]:
    """A collector of the test's own, which it may kill."""
    home = make_home(directory)
    collector = home.start(stack.dsn)
    runtime.settings = Settings(endpoint=collector.url, api_key=home.key)
    yield home, collector
    collector.client.close()
    collector.process.kill()
    home.control.close()


@pytest.fixture
def own(stack: Stack, tmp_path: Path) -> Iterator[tuple[Home, Collector]]:
    """A collector of the test's own, which it may kill."""
    yield from restartable(stack, tmp_path / "data")


def test_closed_spends_its_last_lease_and_then_refuses(own):
    """With the collector gone, what is leased may be spent; the refusal says which, and why."""
    home, collector = own
    home.control.budgets.put(home.project_id, "team", Limits(calls=80))
    ledger = LeasedLedger("team")
    assert ledger.reserve(ONE_CALL) is None
    collector.process.kill()
    assert spend_all(ledger) == 9
    short = ledger.reserve(ONE_CALL)
    assert short is not None
    assert "'team'" in short.because
    assert "connection refused" in short.because
    assert collector.url in short.because


def test_open_lets_calls_out_and_reports_them_later(own):
    """With `unreachable="open"` calls go out without the collector, and count once it is back."""
    home, collector = own
    home.control.budgets.put(home.project_id, "team", Limits(calls=80))
    ledger = LeasedLedger("team", unreachable="open", ttl=5)
    assert ledger.reserve(ONE_CALL) is None
    ledger.settle(ONE_CALL, ONE_CALL)
    collector.process.kill()
    for _ in range(30):
        assert ledger.reserve(ONE_CALL) is None
        ledger.settle(ONE_CALL, ONE_CALL)
    with serve(RecordingStore()) as address:
        port = collector.url.rpartition(":")[2]
        again = home.start(address, "--http-port", port)
        budget = home.control.budgets.get(home.project_id, "team")
        wait_until(lambda: home.control.budgets.standings(budget)[0].spent.calls == 31, 15)
        again.client.close()
        again.process.stop()


def test_a_lease_that_expired_is_spent_no_more(own):
    """What is leased is good for so many seconds and not longer, whoever cannot be asked."""
    home, collector = own
    home.control.budgets.put(home.project_id, "team", Limits(calls=80))
    ledger = LeasedLedger("team", ttl=2.0)
    assert ledger.reserve(ONE_CALL) is None
    collector.process.kill()
    end = time.monotonic() + 2
    wait_until(lambda: time.monotonic() > end)
    short = ledger.reserve(ONE_CALL)
    assert short is not None
    assert short.because


def test_a_guard_refuses_what_does_not_fit_a_shared_budget(stack):
    """`BudgetGuard(shared=...)` stops runs of different guards at one limit."""
    name = stack.budget(Limits(calls=3))
    first, second = (run_with(BudgetGuard(shared=name)) for _ in range(2))
    send(first)
    send(first)
    send(second)
    with pytest.raises(BudgetExceeded, match=f"of 3 calls made.*shared budget '{name}'"):
        send(second)


def test_each_user_has_a_pot(stack):
    """With `per`, each value of the scope has a pot of its own, in all processes."""
    name = stack.budget(Limits(calls=2), scope="user")
    guard = BudgetGuard(shared=name, per="user")
    for user in ("ada", "bob"):
        run = run_with(guard)
        given = {"attributes": {"user.id": user}}
        send(run, **given)
        send(run, **given)
        with pytest.raises(BudgetExceeded, match=f"user {user}"):
            send(run, **given)
    give_back_all()
    assert {pot.scope_value: pot.spent.calls for pot in stack.pots(name)} == {"ada": 2, "bob": 2}


def test_a_guard_that_never_reached_its_budget_refuses_or_not(stack):
    """Where the collector was never there, `unreachable` says what a guard does."""
    runtime.settings = Settings(endpoint="http://127.0.0.1:9", api_key=stack.collector.key)
    with pytest.raises(BudgetExceeded, match=r"'team' cannot be asked: .*127\.0\.0\.1:9"):
        send(run_with(BudgetGuard(shared="team")))
    send(run_with(BudgetGuard(shared="team", unreachable="open")))


def test_a_budget_that_does_not_exist_is_refused_in_any_case(stack):
    """A name with a typo is not an outage."""
    with pytest.raises(BudgetRefused, match="no budget 'nosuch'"):
        LeasedLedger("nosuch", unreachable="open")
    with pytest.raises(BudgetExceeded, match="agentguard budgets set"):
        send(run_with(BudgetGuard(shared="nosuch", unreachable="open")))


def test_the_budget_of_another_scope_says_so(stack):
    """A budget per user asks for a guard per user."""
    name = stack.budget(Limits(calls=2), scope="user")
    with pytest.raises(BudgetExceeded, match='per="user"'):
        send(run_with(BudgetGuard(shared=name)))


@pytest.mark.parametrize("bad", [{"unreachable": "maybe"}, {"ttl": 0.5}, {"ttl": 1e9}])
def test_arguments_that_mean_nothing_are_refused(bad):
    """Bad arguments raise ConfigurationError, saying what is allowed."""
    with pytest.raises(ConfigurationError):
        LeasedLedger("team", **bad)


def test_a_client_finds_its_way_after_the_collector_restarted(own):
    """A connection that broke is made anew, and one that cannot be is an error that says so."""
    home, collector = own
    home.control.budgets.put(home.project_id, "team", Limits(calls=80))
    client = ControlClient(collector.url, home.key)
    assert client.ask("GET", "/budgets/team/terms")["scope"] == "project"
    collector.process.kill()
    with pytest.raises(BudgetUnreachable, match="does not answer"):
        client.ask("GET", "/budgets/team/terms")


@pytest.fixture
def proxy(stack: Stack) -> Iterator[FaultyProxy]:
    """A way to the collector that can be made to fail, and is what this process uses."""
    with faulty_proxy(int(stack.collector.url.rpartition(":")[2])) as between:
        runtime.settings = Settings(
            endpoint=f"http://127.0.0.1:{between.port}", api_key=stack.collector.key
        )
        yield between


def test_no_call_waits_longer_than_four_seconds_for_silence(stack, proxy):
    """A collector that accepts and never answers holds no call up for longer than 4 s."""
    ledger = LeasedLedger(stack.budget(Limits(calls=80)))
    assert ledger.reserve(ONE_CALL) is None
    proxy.delay = 60.0
    took: list[float] = []

    def ask() -> None:
        began = time.monotonic()
        short = ledger.reserve(Spend(calls=20))
        took.append(time.monotonic() - began)
        assert short is not None
        assert "in time" in short.because

    in_background = threading.Thread(target=ledger.tend, args=(True,))
    callers = [threading.Thread(target=ask) for _ in range(8)]
    for thread in (in_background, *callers):
        thread.start()
    for thread in (in_background, *callers):
        thread.join(20)
    assert len(took) == 8
    assert max(took) <= 4.0


def test_lost_answers_lose_no_call_and_make_none(stack, proxy):
    """Where answers get lost after the collector acted, exactly the limit goes out."""
    name = stack.budget(Limits(calls=40))
    ledger = LeasedLedger(name)
    sent = 0
    for _ in range(3):
        proxy.cut_responses_at = 0
        sent += spend_all(ledger)
        proxy.cut_responses_at = None
        wait_until(lambda: ledger.reserve(ONE_CALL) is None, 10)
        ledger.settle(ONE_CALL, ONE_CALL)
        sent += 1
    assert proxy.broken >= 3

    def is_spent() -> bool:
        nonlocal sent
        short = ledger.reserve(ONE_CALL)
        if short is None:
            sent += 1
            ledger.settle(ONE_CALL, ONE_CALL)
        return short is not None and not short.because

    wait_until(is_spent, 30)
    assert sent == 40
    wait_until(lambda: stack.pots(name)[0].held == Spend(), 10)
    assert stack.pots(name)[0].spent.calls == 40
