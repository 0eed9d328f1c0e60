"""Model calls of known price, for tests of budgets."""

from __future__ import annotations

from decimal import Decimal

from agentguard.guards.budget import BudgetGuard
from agentguard.guards.call import Call, Outcome
from agentguard.guards.enforcement import admit, proceed, settle
from agentguard.guards.guard import Guard
from agentguard.guards.state import RunState
from agentguard.prices import Match, ModelPrice, PriceRule, PriceTable, Usage

__all__ = ["PRICES", "TOKEN_USD", "budget_of", "make", "run_with", "send", "stream"]

TOKEN_USD = Decimal("0.001")
"""What a token of the model `even` costs, whatever kind it is of."""

_MTOK = (TOKEN_USD * 1_000_000,)
PRICES = PriceTable(
    [
        PriceRule(
            "",
            Match("exact", "even"),
            -1,
            ModelPrice("test", "even", (), _MTOK, _MTOK, _MTOK, _MTOK, _MTOK),
        )
    ]
)


def run_with(*guards: Guard, parent: RunState | None = None, name: str = "run") -> RunState:
    """A run under the guards."""
    return RunState(name, name, guards, parent)


def budget_of(run: RunState) -> BudgetGuard:
    """The run's own budget guard."""
    (guard,) = (guard for guard in run.guards if isinstance(guard, BudgetGuard))
    return guard


def make(run: RunState, **given: object) -> Call:
    """A model call that sends nine tokens and allows ten more, unless told otherwise."""
    described = {
        "kind": "llm",
        "name": "even",
        "provider": "test",
        "model": "even",
        "max_tokens": 10,
        "content": "x" * 22,
        **given,
    }
    return Call(run=run, **described)  # type: ignore[arg-type]


def send(run: RunState, used: int | None = 20, outcome: Outcome = "ok", **given: object) -> Call:
    """A call that begins and ends, and used so many tokens; None where nobody counted them."""
    call = make(run, **given)
    admit(call)
    if used is not None:
        call.usage = Usage(input=min(used, 9), output=max(0, used - 9))
    settle(call, outcome)
    return call


def stream(call: Call, chars: int) -> None:
    """So many more characters of the answer arrive."""
    call.streamed_chars += chars
    proceed(call)
