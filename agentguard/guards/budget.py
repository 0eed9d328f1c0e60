"""`BudgetGuard`: the most that may be spent, in calls, tokens or US dollars."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal, Self

from agentguard.budgets import words
from agentguard.budgets.accounts import Account, Accounts
from agentguard.budgets.arguments import read_callback, read_warn_at
from agentguard.budgets.ledger import Ledger, LocalLedger, Shortfall
from agentguard.budgets.limits import read_limits
from agentguard.budgets.pricing import Pricing, UnknownPrice
from agentguard.budgets.reservation import ANY_LENGTH, Estimate, Reservation
from agentguard.budgets.reserving import extend, reserve_less
from agentguard.budgets.settling import used
from agentguard.budgets.shared_errors import BudgetUnreachable, SharedBudgetError
from agentguard.budgets.spend import ONE_CALL, Limits, Spend
from agentguard.errors import BudgetExceeded, ConfigurationError, Refused
from agentguard.guards.arguments import kinds_of
from agentguard.guards.call import MODEL_KINDS, SCOPE_ATTRIBUTES, Call, Kind, Scope
from agentguard.guards.guard import Guard, Mode, OnError
from agentguard.guards.verdict import Verdict
from agentguard.prices.source import PRICES_VAR

if TYPE_CHECKING:
    from agentguard.prices.table import PriceTable

__all__ = ["BudgetGuard"]

log = logging.getLogger("agentguard")


def _counts_with(call: Call, outer: Call, accounts: Accounts) -> bool:
    """Whether what was reserved for a model call that the call is a part of is enough.

    A framework's span around a model call may have that of the client inside.
    """
    return outer.kind == call.kind and call.kind in MODEL_KINDS and accounts in outer.held


class BudgetGuard(Guard):
    """Refuses the model call that no longer fits into a budget, and ends the run.

        BudgetGuard(max_cost_usd=5, warn_at_pct=0.8, on_warning=print)
        BudgetGuard(limit="$5/hour", per="user")

    Before a call goes out, an estimate of it is *reserved*: tokens sent by the size of the content
    (`agentguard.budgets.estimate`), tokens answered by the request's `max_tokens`, both corrected
    by what the model's calls used before. When it has ended, what it really used counts instead.
    Calls that run at the same time therefore cannot spend the same money.

    - A request's own `max_tokens` is taken at its word. Where it has none, and no other call is in
      flight, a call may begin with whatever is left, as long as what it sends fits.
    - A call that ended without known usage counts with its estimate, one that failed as a call
      without tokens, one that was cancelled or not read to its end with what it sent and what
      arrived. Retries of one call are one call.
    - The answer of a stream is cut where it needs more than was reserved and is left.

    `max_tokens` counts all tokens, sent and answered, cached or not. `limit` says one limit in
    words, rolling where it has a period. `per` gives each user, session, goal, agent, tool or
    model a budget of its own; calls that name none share one, except that `per="tool"` leaves
    alone what is not inside of a tool. Budgets per run begin anew with each run; all others, and
    rolling ones, go on for as long as the guard given to the runs exists.

    With dollars limited, a model whose price nobody knows is refused. With
    `unknown_price="tokens"` it costs `fallback_usd_per_mtok`, or, without that, counts against
    `max_tokens` alone. `prices` is a `PriceTable` or a file of overrides; otherwise the bundled
    prices with the overrides in the file that `AGENTGUARD_PRICES` names.

    `warn_at_pct` is a fraction: at 0.8 of any limit `on_warning` is called with one sentence, once
    (again when a window has let spending fall below it); without `on_warning` it is logged.

    `shared` names a budget that other processes spend too, with `per` as it was set up with;
    where its collector cannot be reached, calls are refused once what is leased is used up, or,
    with `unreachable="open"`, let out. `ledger` is any other place to keep one.
    """

    name: ClassVar[str] = "budget"
    error: ClassVar[type[Refused]] = BudgetExceeded

    def __init__(
        self,
        max_tokens: int | None = None,
        max_calls: int | None = None,
        max_cost_usd: float | Decimal | None = None,
        warn_at_pct: float | None = None,
        on_warning: Callable[[str], object] | None = None,
        *,
        per: Scope = "run",
        limit: str | None = None,
        kinds: Collection[Kind] = ("llm", "embedding"),
        unknown_price: UnknownPrice = "refuse",
        fallback_usd_per_mtok: float | Decimal | None = None,
        prices: PriceTable | Path | str | None = None,
        ledger: Ledger | None = None,
        shared: str | None = None,
        unreachable: Literal["closed", "open"] = "closed",
        mode: Mode = "enforce",
        on_error: OnError = "open",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        super().__init__(mode=mode, on_error=on_error)
        self._budget = read_limits(
            max_tokens=max_tokens,
            max_calls=max_calls,
            max_cost_usd=max_cost_usd,
            limit=limit,
            per=per,
            ledger=ledger,
            shared=shared,
        )
        self._kinds = kinds_of(kinds)
        self._per = per
        self._attribute = SCOPE_ATTRIBUTES.get(per)
        self._warn_at = read_warn_at(warn_at_pct)
        read_callback(on_warning)
        self._on_warning = on_warning
        self._ledger = ledger
        self._shared = shared
        if unreachable not in ("closed", "open"):
            raise ConfigurationError(f"unreachable={unreachable!r}: it is closed or open.")
        self._unreachable = unreachable
        self._clock = clock
        self._pricing = Pricing(unknown_price, fallback_usd_per_mtok, prices)
        limits = self._budget.limits
        if limits is None or limits.pico_usd is not None:
            if limits is not None and limits.tokens is None:
                self._refuse_free(unknown_price)
            self._pricing.preload()
        self._accounts = Accounts(self._open_ledger)
        self._latest = self._accounts

    def _refuse_free(self, unknown_price: UnknownPrice) -> None:
        if unknown_price == "tokens" and self._pricing.per_mtok is None:
            raise ConfigurationError(
                'unknown_price="tokens" would make models without a known price free: give '
                "fallback_usd_per_mtok, their price in US dollars per million tokens, "
                "or max_tokens as well."
            )

    def for_run(self) -> Self:
        """A guard for one run: with a budget of its own, or with the one that runs share."""
        guard = super().for_run()
        assert isinstance(guard, type(self))  # noqa: S101 - it is of the same make
        guard._pricing = self._pricing
        if self._budget.outlives_runs:
            guard._accounts = guard._latest = self._accounts
        self._latest = guard._accounts
        return guard

    def __deepcopy__(self, memo: dict[int, object]) -> Self:
        """What `for_run` makes: a copy of a budget that is being spent would double it."""
        return self.for_run()

    @property
    def spent(self) -> Spend:
        """Calls, tokens and pico-dollars spent, over all users, sessions and so on.

        Read from the guard that was given to `run`, it is the run's that began last. Dollars are
        counted where they are limited, or where a call says itself what it cost.
        """
        return sum((account.ledger.spent for account in self._latest.all()), Spend())

    @property
    def cost_usd(self) -> Decimal:
        """US dollars spent."""
        return self.spent.cost

    @property
    def left(self) -> Limits:
        """What is left of each limit; of the user or session with the least of it, where per."""
        found = [account.ledger.left for account in self._latest.all()]
        if not found and self._per == "run":
            found = [self._latest.only().ledger.left]
        if not found:
            return self._budget.limits or Limits()
        smallest = (
            min((value for value in column if value is not None), default=None)
            for column in zip(*found, strict=True)
        )
        return Limits(*smallest)

    def looks_at(self, kind: Kind) -> bool:
        """Only at the kinds that it counts or tells apart, unless a subclass asks about more."""
        is_asked = kind in self._kinds or (kind == "tool" and self._per == "tool")
        return is_asked or type(self).on_start is not BudgetGuard.on_start

    def on_start(self, call: Call) -> Verdict | None:
        """Reserves for the call, or refuses it."""
        accounts = self._accounts
        if call.kind not in self._kinds or accounts in call.held:
            return None
        if call.parent is not None and _counts_with(call, call.parent, accounts):
            return None
        attribute = self._attribute
        try:
            if attribute is None:
                account = accounts.one or self._account(call)
            else:
                # As `call.scope` does it, asked before every call.
                name = call.attributes.get(attribute)
                name = name if name is None or type(name) is str else str(name)
                account = accounts.by_name[name]
                account.was_used = True
        except SharedBudgetError as problem:
            return self._without_ledger(problem)
        if account is None:
            return None
        if account.lost:
            account.reap()
        if account.by_call or call.kind not in MODEL_KINDS:
            held = Reservation()
            held.hold(account, ONE_CALL)
            short = account.ledger.reserve(ONE_CALL)
        else:
            habit = accounts.latest
            if habit is None or habit.model != call.model or habit.provider != call.provider:
                habit = accounts.habit(call.provider, call.model)
            price = habit.price
            if price is None and account.in_dollars:
                price = self._pricing.before(habit, account.in_tokens)
            held = estimate = Estimate()
            estimate.hold_for(call, account, habit, price)
            if price is None and account.in_dollars:
                return self._unpriced(call, estimate)
            short = account.ledger.reserve(held.amount)
            if short is not None and reserve_less(call, estimate):
                short = None
        if short is None:
            held.open = True
            call.held[accounts] = held
            return None
        self._let_through(call, held)
        return self._objection(words.refused, short, account)

    def on_progress(self, call: Call) -> Verdict | None:
        """Cuts a streamed answer once it needs more than is left."""
        held = call.held.get(self._accounts)
        if not isinstance(held, Estimate) or call.streamed_chars <= held.covers:
            return None
        short = extend(call, held)
        if short is None:
            return None
        if self.mode != "enforce":
            held.covers = ANY_LENGTH
        return self._objection(words.cut, short, held.account)

    def on_end(self, call: Call) -> Verdict | None:
        """Settles what the call used; ends a run that has spent more than it may."""
        held = call.held.pop(self._accounts, None)
        if not isinstance(held, Reservation) or held.lost:
            return None
        account = held.account
        if call.outcome == "refused":
            account.ledger.release(held.close())
            return None
        # Where this fails, the reservation is lost, and counts as spent.
        spent, is_priced = used(call, held, self._pricing)
        short = account.ledger.settle(held.close(), spent)
        if self._warn_at is not None:
            self._warn(account, self._warn_at)
        if not is_priced:
            return self.stop(self._no_price(call))
        # What a window holds comes back: its next call is soon enough to say no.
        if short is not None and short.passed and self._budget.ends_when_passed:
            return self._objection(words.overspent, short, account)
        return None

    def _account(self, call: Call) -> Account | None:
        if self._per == "run":
            # The guard's own run, also for calls of runs inside of it.
            return self._accounts.only()
        name = call.scope(self._per)
        if name is None and self._per == "tool":
            return None
        return self._accounts.of(name)

    def _open_ledger(self, name: str | None) -> Ledger:
        if self._ledger is not None:
            return self._ledger
        if self._shared is not None:
            from agentguard.budgets.lease import LeasedLedger

            return LeasedLedger(self._shared, name, self._unreachable, scope=self._per)
        return LocalLedger(self._budget.limits or Limits(), self._budget.window, self._clock)

    def _without_ledger(self, problem: SharedBudgetError) -> Verdict | None:
        """A shared budget of which nothing is known yet, as the collector was never reached."""
        if self._unreachable == "open" and isinstance(problem, BudgetUnreachable):
            from agentguard.budgets.leasing import warn_open

            warn_open(self._shared or "", str(problem))
            return None
        return self.stop(f"the shared budget {self._shared!r} cannot be asked: {problem}")

    def _unpriced(self, call: Call, held: Estimate) -> Verdict:
        self._let_through(call, held)
        return self.stop(self._no_price(call))

    def _let_through(self, call: Call, held: Reservation) -> None:
        """Where nothing is enforced, a call that does not fit goes out, holds nothing, counts."""
        if self.mode != "enforce":
            call.held[self._accounts] = held

    def _no_price(self, call: Call) -> str:
        at = f" at {call.provider}" if call.provider else ""
        model = f"{call.model}{at}" if call.model else "a call that names no model"
        return (
            f"the price of {model} is not known, so it cannot be kept within a budget in dollars; "
            f"add it to the file that {PRICES_VAR} names, or give the guard "
            'unknown_price="tokens" and fallback_usd_per_mtok'
        )

    def _whose(self, account: Account) -> str:
        if self._per == "run":
            return ""
        return f"{self._per} {account.name}: " if account.name else f"calls without a {self._per}: "

    def _objection(self, say: words.Sentence, short: Shortfall, account: Account) -> Verdict:
        unit, budget = short.unit, self._budget
        reason = say(short, self._whose(account), budget.in_window, budget.advice(unit))
        limit = words.figure(unit, short.limit)
        reached = words.figure(unit, short.used + short.wanted)
        return self.stop(reason, limit=limit, used=reached, unit=words.UNITS[unit])

    def _warn(self, account: Account, at: float) -> None:
        reached = account.newly_reached(at)
        if reached is None:
            return
        sentence = words.warning(*reached, self._whose(account), self._budget.in_window)
        if self._on_warning is None:
            log.warning("budget guard: %s", sentence)
            return
        try:
            self._on_warning(sentence)
        except Exception:  # the boundary of a user's callback
            log.exception("on_warning of a budget guard failed")
