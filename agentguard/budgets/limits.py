"""What a `BudgetGuard` was given as its limits, and what it says about them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, get_args

from agentguard.budgets.arguments import dollars, whole
from agentguard.budgets.limit_text import parse_limit
from agentguard.budgets.spend import Limits, Unit, pico_dollars
from agentguard.errors import ConfigurationError
from agentguard.guards.call import Scope

if TYPE_CHECKING:
    from agentguard.budgets.ledger import Ledger

__all__ = ["BudgetLimits", "read_limits"]

_ADVICE: Final[dict[Unit, str]] = {
    "calls": "raise max_calls",
    "tokens": "raise the guard's max_tokens, or send less and allow a shorter answer",
    "pico_usd": "raise max_cost_usd, use a cheaper model, or allow a shorter answer",
}
_PERIODS: Final[dict[float, str]] = {
    1: "second",
    60: "minute",
    3_600: "hour",
    86_400: "day",
    604_800: "week",
}


@dataclass(frozen=True, slots=True)
class BudgetLimits:
    """Limits, and what follows from how they were given."""

    limits: Limits | None
    """None where the ledger knows them."""
    window: float | None
    """Seconds, of a rolling budget."""
    outlives_runs: bool
    ends_when_passed: bool
    """Whether a run ends with the call that passed a limit, and not only with the next one."""
    given_as: str = ""
    """The limit in words, or the name of the shared budget."""

    @property
    def in_window(self) -> str:
        """` within the last hour`; empty where spending does not come back."""
        if self.window is None:
            return ""
        return f" within the last {_PERIODS.get(self.window, f'{self.window:g} s')}"

    def advice(self, unit: Unit) -> str:
        """What to do about a limit that was reached."""
        return f"raise {self.given_as}" if self.given_as else _ADVICE[unit]


def read_limits(
    *,
    max_tokens: object,
    max_calls: object,
    max_cost_usd: object,
    limit: str | None,
    per: Scope,
    ledger: Ledger | None,
    shared: str | None,
) -> BudgetLimits:
    """Check a guard's arguments. Raises `ConfigurationError` where they do not make a budget."""
    if per not in get_args(Scope):
        raise ConfigurationError(f"per={per!r}: a budget is per one of {get_args(Scope)}.")
    cost = dollars("max_cost_usd", max_cost_usd)
    own = Limits(
        whole("max_calls", max_calls),
        whole("max_tokens", max_tokens),
        None if cost is None else pico_dollars(cost),
    )
    has_own = own != Limits()
    if ledger is not None or shared is not None:
        return _kept_elsewhere(has_own or limit is not None, per, ledger, shared)
    outlives = per != "run"
    if limit is None:
        if not has_own:
            raise ConfigurationError(
                "BudgetGuard has no limit: give max_cost_usd, max_tokens, max_calls, "
                'limit="$5/hour", or shared="name".'
            )
        return BudgetLimits(own, None, outlives, ends_when_passed=True)
    if has_own:
        raise ConfigurationError(
            f"limit={limit!r} is the limit of a budget of its own: give it and max_cost_usd, "
            "max_tokens or max_calls to two guards."
        )
    limits, window = parse_limit(limit)
    return BudgetLimits(
        limits, window, outlives or window is not None, window is None, f"limit={limit!r}"
    )


def _kept_elsewhere(
    has_limits: bool, per: Scope, ledger: Ledger | None, shared: str | None
) -> BudgetLimits:
    given = "shared" if shared is not None else "ledger"
    if ledger is not None and shared is not None:
        raise ConfigurationError("Give shared or ledger, not both: each of them is the budget.")
    if has_limits:
        raise ConfigurationError(
            f"{given} is a budget with limits of its own: leave out max_cost_usd, max_tokens, "
            "max_calls and limit."
        )
    if ledger is not None and per != "run":
        raise ConfigurationError(
            f"per={per!r}: a ledger is one budget, and cannot be one for each {per}."
        )
    if shared is not None and not (isinstance(shared, str) and shared.strip()):
        raise ConfigurationError(f"shared={shared!r}: it is the name of a shared budget.")
    own = getattr(ledger, "called", "the ledger's limit")
    named = own if shared is None else f"the shared budget {shared!r}"
    return BudgetLimits(None, None, True, False, named)
