"""Numbers as people write them in filters: durations, money, counts."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Final, Literal

__all__ = ["NUMERIC", "AmountType", "expected", "read", "written"]

AmountType = Literal["count", "money", "duration", "number"]

NUMERIC: Final = ("count", "money", "duration", "number")

_NANOSECONDS: Final = {
    "h": 3_600 * 10**9, "m": 60 * 10**9, "s": 10**9, "ms": 10**6, "us": 10**3, "µs": 10**3, "ns": 1,
}  # fmt: skip
_TIMES: Final = {"": 1, "k": 1_000, "m": 1_000_000}
_PLAIN: Final = r"(?P<digits>[0-9]{1,15}(?:\.[0-9]{1,15})?|\.[0-9]{1,15})"
_FORMS: Final[dict[str, re.Pattern[str]]] = {
    "count": re.compile(_PLAIN + r"(?P<unit>[kKmM]?)"),
    "money": re.compile(r"\$?" + _PLAIN + r"(?P<unit>)"),
    "duration": re.compile(_PLAIN + r"(?P<unit>h|m|s|ms|us|µs|ns)"),
    "number": re.compile(
        r"(?P<digits>[+-]?(?:[0-9]{1,40}(?:\.[0-9]{0,40})?|\.[0-9]{1,40})(?:[eE][+-]?[0-9]{1,3})?)(?P<unit>)"
    ),
}
_EXPECTED: Final = {
    "count": "a whole number, as 1200 or 1.2k",
    "money": "an amount of dollars, as 0.05",
    "duration": "a duration with its unit, as 250ms, 2s or 1.5m",
    "number": "a number",
}
_FINEST: Final = {"count": Decimal(1), "money": Decimal("1e-12"), "duration": Decimal(1)}
_LARGEST: Final = {"count": 10**18, "money": 10**18, "duration": 9 * 10**18}


def expected(type_: str) -> str:
    """Say what an amount of a type looks like."""
    return _EXPECTED[type_]


def read(type_: str, text: str) -> Decimal | None:
    """Return US dollars, nanoseconds or a count; None where the text is no such amount.

    Finer than the store keeps it (a nanosecond, 1e-12 dollars), or larger, is none either.
    """
    found = _FORMS[type_].fullmatch(text)
    if found is None:
        return None
    amount = Decimal(found["digits"])
    if type_ == "number":
        return amount if abs(float(amount)) != float("inf") else None
    amount *= _NANOSECONDS[found["unit"]] if type_ == "duration" else _TIMES[found["unit"].lower()]
    whole = amount % _FINEST[type_] == 0 and amount <= _LARGEST[type_]
    return amount if whole else None


def written(type_: str, amount: Decimal) -> str:
    """Return the text of an amount that `read` makes the same of."""
    if type_ == "number":
        return str(amount)
    if type_ != "duration":
        return _plain(amount)
    unit = next(u for u, size in _NANOSECONDS.items() if amount % size == 0)
    return f"{_plain(amount / _NANOSECONDS[unit])}{unit}"


def _plain(amount: Decimal) -> str:
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
