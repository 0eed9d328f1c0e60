"""May it go on? How one pot of a budget stands, and what whoever spends it should do.

Pure: the figures come from the control plane (limits, spent, held) and from `burn` (the rate).
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from agentguard.budgets.spend import Limits, Spend

__all__ = ["SLOW_DOWN_AT", "Advice", "Outlook", "PerHour", "advise"]

Advice = Literal["go_on", "slow_down", "stop"]
Unit = Literal["calls", "tokens", "usd"]

SLOW_DOWN_AT: Final = 0.8
"""The share of a limit from which on it is time to slow down, whatever the rate."""
_HALF: Final = 0.5
_FAR: Final = timedelta(days=3_650)
_UNITS: Final[tuple[Unit, ...]] = ("calls", "tokens", "usd")
_WORDS: Final = {"calls": "calls", "tokens": "tokens", "usd": "dollars"}


class PerHour(NamedTuple):
    """A rate: calls, tokens and pico-dollars in an hour, as `Spend` has them."""

    calls: float = 0.0
    tokens: float = 0.0
    pico_usd: float = 0.0


@dataclass(frozen=True, slots=True)
class Outlook:
    """What to do, and the figures that say so.

    `left` is never less than nothing, and None where there is no limit; what is held counts as
    gone. `used` is the share of the tightest limit, `limited_by` which one that is.
    `runs_out_at` is None where at this rate nothing runs out within ten years.
    """

    advice: Advice
    reason: str
    used: float
    limited_by: Unit | None
    left: Limits
    runs_out_at: datetime | None
    runs_out_first: Unit | None


def advise(
    limits: Limits,
    spent: Spend,
    held: Spend,
    rate: PerHour,
    *,
    now: datetime,
    resets_at: datetime | None = None,
) -> Outlook:
    """Say how a pot stands and what to do about it.

    `stop` where nothing is left of a limit. `slow_down` from 80% of one on, or from the half on
    where, at this rate, it ends before the budget begins anew. `go_on` otherwise.
    """
    left, used, ends = _figures(limits, spent, held, rate)
    tightest = max(used, key=lambda unit: used[unit], default=None)
    first = min(ends, key=lambda unit: ends[unit], default=None)
    share = used[tightest] if tightest else 0.0
    until = now + ends[first] if first else None
    advice, reason = _verdict(tightest, share, first, until, resets_at)
    return Outlook(advice, reason, share, tightest, left, until, first)


def _figures(
    limits: Limits, spent: Spend, held: Spend, rate: PerHour
) -> tuple[Limits, dict[Unit, float], dict[Unit, timedelta]]:
    """What is left of each limit, the share that is gone, and how long the rest lasts."""
    left: list[int | None] = []
    used: dict[Unit, float] = {}
    ends: dict[Unit, timedelta] = {}
    for unit, limit, gone, reserved, hourly in zip(_UNITS, limits, spent, held, rate, strict=True):
        if limit is None:
            left.append(None)
            continue
        rest = max(0, limit - gone - reserved)
        left.append(rest)
        used[unit] = (gone + reserved) / limit if limit else 1.0
        if hourly > 0 and rest / hourly < _FAR / timedelta(hours=1):
            ends[unit] = timedelta(hours=rest / hourly)
    return Limits(*left), used, ends


def _verdict(
    tightest: Unit | None,
    share: float,
    first: Unit | None,
    until: datetime | None,
    resets_at: datetime | None,
) -> tuple[Advice, str]:
    if tightest is None:
        return "go_on", "this budget has no limit"
    gone = f"{_percent(share)} of the {_WORDS[tightest]} are used or reserved"
    if share >= 1:
        wait = f" until it begins anew at {_at(resets_at)}" if resets_at else ""
        return "stop", f"{gone}: nothing is left{wait}"
    runs_out = f"; at the present rate the {_WORDS[first]} end at {_at(until)}" if first else ""
    if share >= SLOW_DOWN_AT:
        return "slow_down", gone + runs_out
    if share >= _HALF and until is not None and resets_at is not None and until < resets_at:
        return "slow_down", f"{gone}{runs_out}, before it begins anew at {_at(resets_at)}"
    return "go_on", gone + runs_out


def _percent(share: float) -> str:
    # Rounded down: 99.96% is not all of it.
    return f"{Decimal(int(share * 1000)) / 10}%"


def _at(moment: datetime | None) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC" if moment else "no time"
