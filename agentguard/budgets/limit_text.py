"""Limits as people write them: `"$5/hour"`, `"100 calls/min"`, `"200k tokens/day"`, `"$20"`."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final

from agentguard.budgets.spend import Limits, pico_dollars
from agentguard.errors import ConfigurationError

__all__ = ["parse_limit"]

_LIMIT: Final = re.compile(
    r"""
    (?P<dollar>\$)? \s* (?P<number>\d[\d,_]*(?:\.\d+)?|\.\d+) (?P<scale>[kKmM])?
    \s* (?P<unit>[A-Za-z]+)?
    (?: \s*(?:/|\bper\b)\s* (?P<times>\d+(?:\.\d+)?)? \s* (?P<period>[A-Za-z]+) )?
    """,
    re.VERBOSE,
)
_SCALES: Final = {"": 1, "k": 1_000, "m": 1_000_000}
_UNITS: Final = {
    **dict.fromkeys(("call", "calls", "request", "requests"), "calls"),
    **dict.fromkeys(("token", "tokens", "tok"), "tokens"),
    **dict.fromkeys(("usd", "dollar", "dollars"), "usd"),
}
_PERIODS: Final = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3_600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
}
_ALLOWED: Final = (
    'it is an amount and, for a rolling window, a period: "$20", "$5/hour", "100 calls/min", '
    '"200k tokens/day", "$1/30 min"'
)


def parse_limit(text: str) -> tuple[Limits, float | None]:
    """The limit, and the seconds of its rolling window; None for a limit without one.

    Raises:
        ConfigurationError: the text is no limit.
    """
    found = _LIMIT.fullmatch(text.strip()) if isinstance(text, str) else None
    if found is None:
        raise ConfigurationError(f"limit={text!r} is not a limit: {_ALLOWED}.")
    amount = Decimal(found["number"].replace(",", "").replace("_", ""))
    amount *= _SCALES[(found["scale"] or "").lower()]
    unit = "usd" if found["dollar"] else _UNITS.get((found["unit"] or "").lower(), "")
    known = not found["dollar"] or not found["unit"] or _UNITS.get(found["unit"].lower()) == "usd"
    if not unit or not known:
        raise ConfigurationError(
            f"limit={text!r}: it is a number of dollars ($), calls or tokens; {_ALLOWED}."
        )
    if unit != "usd" and amount != int(amount):
        raise ConfigurationError(f"limit={text!r}: {unit} come in whole numbers.")
    limits = {
        "usd": Limits(pico_usd=pico_dollars(amount)),
        "calls": Limits(calls=int(amount)),
        "tokens": Limits(tokens=int(amount)),
    }[unit]
    return limits, _window(text, found["times"], found["period"])


def _window(text: str, times: str | None, period: str | None) -> float | None:
    if period is None:
        return None
    seconds = _PERIODS.get(period.lower())
    if seconds is None:
        raise ConfigurationError(
            f"limit={text!r}: {period!r} is not a period; "
            "it is seconds, minutes, hours, days or weeks."
        )
    window = seconds * float(times or 1)
    if window <= 0:
        raise ConfigurationError(f"limit={text!r}: the period has to be longer than nothing.")
    return window
