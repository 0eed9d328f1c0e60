"""How a budget is given: limits, windows, whose it is, and prices; and what is wrong with it."""

import math
from pathlib import Path

import pytest

import agentguard
from agentguard import semconv
from agentguard.budgets.accounts import Accounts
from agentguard.budgets.ledger import LocalLedger
from agentguard.budgets.limit_text import parse_limit
from agentguard.budgets.spend import Limits
from agentguard.errors import BudgetExceeded, ConfigurationError
from agentguard.guards.budget import BudgetGuard
from agentguard.guards.enforcement import admit, settle
from agentguard.prices import PriceTable, Usage
from tests.guards.budgets import PRICES, TOKEN_USD, budget_of, make, run_with, send

HOUR = 3_600


@pytest.mark.parametrize(
    ("text", "limits", "window"),
    [
        ("$20", Limits(pico_usd=20 * 10**12), None),
        ("$5/hour", Limits(pico_usd=5 * 10**12), HOUR),
        ("5 usd per hour", Limits(pico_usd=5 * 10**12), HOUR),
        ("$0.000001/s", Limits(pico_usd=10**6), 1),
        ("$1/30 min", Limits(pico_usd=10**12), 1_800),
        ("100 calls/min", Limits(calls=100), 60),
        ("1,000 requests / 2 h", Limits(calls=1_000), 2 * HOUR),
        ("200k tokens/day", Limits(tokens=200_000), 24 * HOUR),
        ("1.5M tokens per week", Limits(tokens=1_500_000), 7 * 24 * HOUR),
    ],
)
def test_limits_are_written_as_people_write_them(text, limits, window):
    """An amount, and a period where the budget is a rolling one."""
    assert parse_limit(text) == (limits, window)


@pytest.mark.parametrize(
    "text",
    ["", "5", "$", "$5/fortnight", "5 apples/hour", "0.5 calls/min", "$5 calls", "-$5", "$5/0 h",
     "$5/hour/day", "$1e400", None, 5],
)  # fmt: skip
def test_what_is_no_limit_is_told_so(text):
    """The message repeats what was given and shows what would do."""
    with pytest.raises(ConfigurationError, match="limit="):
        BudgetGuard(limit=text) if text is not None else parse_limit(text)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({}, "has no limit"),
        ({"max_tokens": -1}, "max_tokens=-1: it is a whole number, 0 or more"),
        ({"max_tokens": 1.5}, "max_tokens=1.5"),
        ({"max_tokens": True}, "max_tokens=True"),
        ({"max_calls": "10"}, "max_calls='10'"),
        ({"max_cost_usd": -0.01}, "max_cost_usd=-0.01: it is a number of US dollars"),
        ({"max_cost_usd": "5"}, "max_cost_usd='5'"),
        ({"max_cost_usd": math.nan}, "max_cost_usd=nan"),
        ({"max_cost_usd": math.inf}, "max_cost_usd=inf"),
        ({"max_calls": 1, "warn_at_pct": 80}, "warn_at_pct=80: it is a fraction"),
        ({"max_calls": 1, "warn_at_pct": 0}, "warn_at_pct=0"),
        ({"max_calls": 1, "warn_at_pct": True}, "warn_at_pct=True"),
        ({"max_calls": 1, "on_warning": "print"}, "on_warning='print'"),
        ({"max_calls": 1, "per": "team"}, "per='team': a budget is per one of"),
        ({"max_calls": 1, "per": ["user"]}, "per="),
        ({"max_calls": 1, "kinds": ["llms"]}, "kinds=.*'llm', 'embedding', 'tool'"),
        ({"max_calls": 1, "kinds": "llm"}, "kinds='llm': it is a list"),
        ({"max_calls": 1, "kinds": None}, "kinds=None"),
        ({"max_calls": 1, "kinds": []}, "kinds="),
        ({"max_calls": 1, "mode": "loud"}, "mode='loud'"),
        ({"max_calls": 1, "on_error": "shut"}, "on_error='shut'"),
        ({"max_calls": 1, "limit": "$5"}, "to two guards"),
        ({"max_cost_usd": 1, "unknown_price": "free"}, 'it is "refuse" or "tokens"'),
        ({"max_cost_usd": 1, "unknown_price": "tokens"}, "would make models .* free"),
        ({"max_cost_usd": 1, "fallback_usd_per_mtok": 5}, "give both"),
        ({"max_cost_usd": 1, "unknown_price": "tokens", "fallback_usd_per_mtok": -5}, "-5"),
        ({"shared": ""}, "shared=''"),
        ({"shared": "team", "max_calls": 1}, "a budget with limits of its own"),
        ({"ledger": LocalLedger(Limits(1)), "max_calls": 1}, "a budget with limits of its own"),
        ({"ledger": LocalLedger(Limits(1)), "shared": "team"}, "not both"),
        ({"ledger": LocalLedger(Limits(1)), "per": "user"}, "a ledger is one budget"),
        ({"max_cost_usd": 1, "prices": Path("/no/such/prices.toml")}, "/no/such/prices.toml"),
    ],
)  # fmt: skip
def test_wrong_arguments_are_told_apart(given, says):
    """Each mistake is a `ConfigurationError` that says what is wrong and what is allowed."""
    with pytest.raises(ConfigurationError, match=says):
        BudgetGuard(**given)


@pytest.mark.parametrize(
    ("scope", "attribute"),
    [
        ("user", semconv.USER_ID),
        ("session", semconv.SESSION_ID),
        ("goal", semconv.RUN_GOAL),
        ("agent", semconv.AGENT_NAME),
    ],
)
def test_each_has_a_budget_of_its_own(scope, attribute):
    """What one user, session, goal or agent spends is nobody else's, over all runs."""
    guard = BudgetGuard(max_calls=2, per=scope)
    for name in ("first", "second"):
        run = run_with(guard, name=name)
        for whose in ("ada", "bob"):
            send(run, attributes={attribute: whose})
    assert guard.spent.calls == 4
    with pytest.raises(BudgetExceeded, match=f"{scope} ada: 2 of 2 calls made"):
        send(run_with(guard), attributes={attribute: "ada"})
    send(run_with(guard), attributes={attribute: "eve"})


@pytest.mark.parametrize("scope", ["run", "session", "user", "goal", "agent", "tool", "model"])
def test_spans_of_a_run_know_whose_budget_they_spend(scope, spans):
    """What `run`, `agent_span` and `tool_span` were told is what a budget is kept by."""
    guard = BudgetGuard(max_calls=1, per=scope)

    def work(name: str) -> None:
        told = {"session": name, "user": name, "goal": name}
        with (
            agentguard.run("work", guards=[guard], **told),
            agentguard.agent_span(name),
            agentguard.tool_span(name),
            agentguard.chat_span(name, provider="test"),
        ):
            pass

    work("ada")
    work("bob")
    if scope == "run":
        work("ada")
        return
    with pytest.raises(BudgetExceeded, match=f"{scope} ada: 1 of 1 call made"):
        work("ada")


def test_models_have_budgets_of_their_own():
    """`per="model"` limits each model by itself."""
    guard = BudgetGuard(max_calls=1, per="model")
    send(run_with(guard), model="even")
    send(run_with(guard), model="odd")
    with pytest.raises(BudgetExceeded, match="model odd: "):
        send(run_with(guard), model="odd")


def test_tools_have_budgets_of_their_own():
    """Model calls inside of a tool spend that tool's budget, those outside of tools no one's."""
    guard = BudgetGuard(max_calls=1, per="tool")
    run = run_with(guard)
    for _ in range(3):
        send(run)
    search, draw = make(run, kind="tool", name="search"), make(run, kind="tool", name="draw")
    send(run, parent=search)
    send(run, parent=make(run, kind="agent", name="painter", parent=draw))
    with pytest.raises(BudgetExceeded, match="tool search: "):
        send(run, parent=search)


def test_calls_of_nobody_share_a_budget():
    """Calls that name no user spend one budget together, and the message says so."""
    guard = BudgetGuard(max_calls=1, per="user")
    send(run_with(guard))
    with pytest.raises(BudgetExceeded, match="calls without a user: 1 of 1"):
        send(run_with(guard))


def test_the_least_left_is_what_is_left():
    """Over several users, `left` is that of the one with the least, and `spent` all of it."""
    guard = BudgetGuard(max_calls=5, per="user")
    assert guard.left.calls == 5
    for user in ("ada", "ada", "bob"):
        send(run_with(guard), attributes={semconv.USER_ID: user})
    assert (guard.spent.calls, guard.left.calls) == (3, 3)


def test_so_many_users_are_kept_and_no_more(caplog):
    """Memory is bounded: the budget that nobody used for the longest time is let go, and told."""
    accounts = Accounts(lambda name: LocalLedger(Limits(calls=9)))
    for number in range(5_000):
        account = accounts.of(f"user {number}")
        account.ledger.reserve((1, 0, 0))
        if number:
            account.ledger.settle((1, 0, 0), (1, 0, 0))
    kept = {account.name for account in accounts.all()}
    assert len(kept) == 4_096
    assert {"user 0", "user 4999"} <= kept
    assert "user 1" not in kept
    assert len(caplog.records) == 1


def test_a_window_rolls():
    """An hour's budget is refused while the hour lasts, and comes back after it."""
    now = [1_000_000.0]
    guard = BudgetGuard(limit="$0.04/hour", prices=PRICES, clock=lambda: now[0])
    send(run_with(guard), used=20)
    now[0] += HOUR / 2
    send(run_with(guard), used=20)
    with pytest.raises(BudgetExceeded, match=r"within the last hour.*or wait 30 min"):
        send(run_with(guard))
    now[0] += HOUR / 2 + HOUR / 100
    send(run_with(guard), used=20)
    assert guard.cost_usd == 40 * TOKEN_USD
    now[0] += 2 * HOUR
    assert guard.spent == (0, 0, 0)


def test_a_window_does_not_end_the_run_that_passed_it():
    """What a window holds comes back: only the next call is refused, if it is too soon."""
    now = [0.0]
    run = run_with(BudgetGuard(limit="30 tokens/min", clock=lambda: now[0]))
    send(run, used=45)
    assert run.stopped is None
    now[0] += 61
    send(run)


def test_a_window_warns_again_when_it_has_recovered():
    """A warning is for each time that the window fills up."""
    now, heard = [0.0], []
    guard = BudgetGuard(
        limit="2 calls/min", warn_at_pct=0.5, on_warning=heard.append, clock=lambda: now[0]
    )
    for _ in range(3):
        send(run_with(guard))
        now[0] += 100
        guard.left  # noqa: B018 - reading is no spending
    assert len(heard) == 1
    assert heard[0].endswith("1 of 2 calls made within the last minute")


def test_a_model_without_a_price_is_refused():
    """With dollars limited, a call that nobody can price does not go out."""
    run = run_with(BudgetGuard(max_cost_usd=5, prices=PRICES))
    with pytest.raises(BudgetExceeded, match=r"price of mystery at test is not known.*AGENTGUARD"):
        send(run, model="mystery")
    assert budget_of(run).spent.calls == 0


def test_a_model_without_a_price_costs_what_is_configured():
    """With `unknown_price="tokens"` and a price for all of them, it is counted with that."""
    guard = BudgetGuard(
        max_cost_usd=0.5, prices=PRICES, unknown_price="tokens", fallback_usd_per_mtok=10_000
    )
    run = run_with(guard)
    send(run, model="mystery", used=20)
    assert budget_of(run).cost_usd == 20 * 10 * TOKEN_USD
    send(run, model="even", used=20)
    assert budget_of(run).cost_usd == 220 * TOKEN_USD


def test_a_model_without_a_price_counts_its_tokens():
    """Where tokens are limited too, they are what an unknown model is held to."""
    run = run_with(
        BudgetGuard(max_tokens=50, max_cost_usd=5, prices=PRICES, unknown_price="tokens")
    )
    send(run, model="mystery", used=20)
    send(run, model="mystery", used=20)
    with pytest.raises(BudgetExceeded, match="40 of 50 tokens"):
        send(run, model="mystery")


def test_a_model_named_at_the_end_is_priced_then():
    """A call may name its model only when it has ended: it is held to a high price until then."""
    run = run_with(BudgetGuard(max_cost_usd=5, prices=PRICES))
    call = make(run, model=None)
    admit(call)
    assert budget_of(run).left.pico_usd < 5 * 10**12
    call.model, call.usage = "even", Usage(input=10, output=10)
    settle(call)
    assert budget_of(run).cost_usd == 20 * TOKEN_USD
    assert run.stopped is None


@pytest.mark.parametrize("model", [None, "mystery"])
def test_a_model_never_named_ends_the_run(model):
    """A call that went out and turns out to have no price is counted, and is the last one."""
    run = run_with(BudgetGuard(max_cost_usd=5, prices=PRICES))
    call = make(run, model=None)
    admit(call)
    call.model, call.usage = model, Usage(input=10, output=10)
    settle(call)
    assert budget_of(run).cost_usd > 0
    assert run.stopped is not None
    assert "price" in run.stopped.reason


def test_what_answered_may_have_a_name_of_its_own():
    """A deployment's name that no list has costs what the model that was asked for costs."""
    run = run_with(BudgetGuard(max_cost_usd=5, prices=PRICES))
    call = make(run)
    admit(call)
    call.model, call.usage = "even-eu-deployment-7", Usage(input=10, output=10)
    settle(call)
    assert budget_of(run).cost_usd == 20 * TOKEN_USD
    assert run.stopped is None


PRICED = """
[[price]]
model = "house-model"
input = 3
output = 6
"""


def test_prices_come_from_the_file_that_is_named(tmp_path, monkeypatch):
    """`prices=` or the variable AGENTGUARD_PRICES name a file of prices of one's own."""
    path = tmp_path / "prices.toml"
    path.write_text(PRICED)
    used = Usage(input=1_000_000, output=1_000_000)
    monkeypatch.delenv("AGENTGUARD_PRICES", raising=False)
    by_argument = BudgetGuard(max_cost_usd=50, prices=path)
    monkeypatch.setenv("AGENTGUARD_PRICES", str(path))
    for guard in (by_argument, BudgetGuard(max_cost_usd=50)):
        run = run_with(guard)
        call = make(run, provider="acme", model="house-model")
        admit(call)
        call.usage = used
        settle(call)
        assert budget_of(run).cost_usd == 9


def test_a_wrong_price_file_is_found_when_the_guard_is_made(tmp_path, monkeypatch):
    """And not by the first call, in the middle of a run."""
    path = tmp_path / "prices.toml"
    path.write_text('[[price]]\nmodel = "m"\ninput = -3\noutput = 1\n')
    monkeypatch.setenv("AGENTGUARD_PRICES", str(path))
    with pytest.raises(ConfigurationError, match=r"prices\.toml: price: entry 1, input"):
        BudgetGuard(max_cost_usd=50)


def test_the_bundled_prices_are_used_without_more():
    """A model that everybody knows needs no price file."""
    run = run_with(BudgetGuard(max_cost_usd=50))
    call = make(run, provider="openai", model="gpt-4o")
    admit(call)
    call.usage = Usage(input=1_000_000)
    settle(call)
    at = 1_767_225_600 * 10**9
    price = PriceTable().lookup("openai", "gpt-4o", at)
    assert price is not None
    assert budget_of(run).cost_usd == price.input[0]


def test_a_budget_may_be_kept_elsewhere():
    """Any `Ledger` will do, and runs that are given the guard spend it together."""
    ledger = LocalLedger(Limits(calls=2))
    guard = BudgetGuard(ledger=ledger)
    send(run_with(guard))
    send(run_with(guard))
    with pytest.raises(BudgetExceeded, match="raise the ledger's limit"):
        send(run_with(guard))
    assert ledger.spent.calls == 2
