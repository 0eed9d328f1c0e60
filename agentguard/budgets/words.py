"""What a budget says to people."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Final

from agentguard.budgets.ledger import Shortfall
from agentguard.budgets.spend import Unit
from agentguard.guards.verdict import Number

__all__ = ["UNITS", "Sentence", "amount", "cut", "figure", "overspent", "refused", "warning"]

Sentence = Callable[[Shortfall, str, str, str], str]
"""Of what is short, whose budget it is, its window, and what to do about it."""

UNITS: Final[dict[Unit, str]] = {"calls": "calls", "tokens": "tokens", "pico_usd": "USD"}
"""The units in which spans and verdicts give figures."""

_VERBS: Final[dict[Unit, str]] = {"calls": "made", "tokens": "used", "pico_usd": "spent"}


def figure(unit: Unit, value: int) -> Number:
    """The value in its unit of `UNITS`."""
    return value / 10**12 if unit == "pico_usd" else value


def amount(unit: Unit, value: int) -> str:
    """`$5.00`, `1,200 tokens`, `1 call`; below a dollar, two significant digits."""
    if unit != "pico_usd":
        return f"{value:,} {unit if value != 1 else unit[:-1]}"
    dollars = Decimal(value).scaleb(-12)
    if dollars == 0 or dollars >= 1:
        return f"${dollars:,.2f}"
    places = max(2, 1 - dollars.adjusted())
    return f"${dollars:.{places}f}"


def refused(short: Shortfall, whose: str, window: str, advice: str) -> str:
    """Why a call may not begin."""
    if short.because:
        return f"{whose}{short.because}"
    needs = "" if short.unit == "calls" else f", this call needs about {_wanted(short)}"
    return f"{whose}{_state(short, window)}{needs}; {_or_wait(advice, short)}"


def cut(short: Shortfall, whose: str, window: str, advice: str) -> str:
    """Why an answer that is being streamed ends here."""
    if short.because:
        return f"{whose}{short.because}"
    return (
        f"{whose}{_state(short, window)}, this answer needs {_wanted(short)} more than was put "
        f"aside for it; {_or_wait(advice, short)}"
    )


def overspent(short: Shortfall, whose: str, window: str, advice: str) -> str:
    """Why a run ends when a call has cost more than was left."""
    return (
        f"{whose}{_amounts(short)} {_VERBS[short.unit]}{window}: the last call used more than was "
        f"estimated; {advice}"
    )


def warning(unit: Unit, spent: int, limit: int, whose: str, window: str) -> str:
    """That a budget is nearly gone."""
    part = 100 * spent // limit if limit else 100
    return f"{whose}{part}% of the budget is gone: {_of(unit, spent, limit)} {_VERBS[unit]}{window}"


def _state(short: Shortfall, window: str) -> str:
    held = ""
    if short.held and short.unit == "calls":
        held = f" and {short.held:,} in flight"
    elif short.held:
        held = f" and {amount(short.unit, short.held)} held for calls in flight"
    return f"{_amounts(short)} {_VERBS[short.unit]}{held}{window}"


def _amounts(short: Shortfall) -> str:
    return _of(short.unit, short.spent, short.limit)


def _of(unit: Unit, spent: int, limit: int) -> str:
    if unit == "pico_usd":
        return f"{amount(unit, spent)} of {amount(unit, limit)}"
    return f"{spent:,} of {amount(unit, limit)}"


def _wanted(short: Shortfall) -> str:
    return amount(short.unit, short.wanted)


def _or_wait(advice: str, short: Shortfall) -> str:
    return advice if short.wait is None else f"{advice}, or wait {_seconds(short.wait)}"


def _seconds(seconds: float) -> str:
    if seconds < 120:
        return f"{max(1, round(seconds))} s"
    if seconds < 7200:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h"
