"""Rules: how a provider's and a model's name find their price, in a form SQL can evaluate too."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from functools import cache
from typing import Any, Final, Literal

from agentguard.prices.model import ModelPrice

MatchKind = Literal["exact", "prefix", "suffix", "contains", "regex"]

ALWAYS: Final = date(1970, 1, 1)
DAY_SECONDS: Final = 86_400
DATED_PASS: Final = 1 << 30
"""What SQL adds to the priority of a rule that matches only `with_dashed_dates`."""


@dataclass(frozen=True, slots=True)
class Match:
    """A test on a lower-cased name.

    `pattern` is lower case unless `kind` is `regex`; regexes (RE2 syntax) may match anywhere.
    Where `unless`, a regex as well, is not empty, a name that it matches does not match.
    """

    kind: MatchKind
    pattern: str
    unless: str = ""

    def __call__(self, name: str) -> bool:
        """Tell whether the lower-cased `name` matches."""
        if not _TESTS[self.kind](name, self.pattern):
            return False
        return not (self.unless and _search(name, self.unless))


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.ASCII)


def _search(name: str, pattern: str) -> bool:
    return _compiled(pattern).search(name) is not None


_TESTS: Final[dict[MatchKind, Callable[[str, str], bool]]] = {
    "exact": str.__eq__,
    "prefix": str.startswith,
    "suffix": str.endswith,
    "contains": str.__contains__,
    "regex": _search,
}


@dataclass(frozen=True, slots=True)
class ProviderRule:
    """Names a provider: by what the span calls it, or by the model where it calls it nothing.

    `provider` is `""` where the name is known to be no provider (a proxy, a framework).
    """

    field: Literal["provider", "model"]
    match: Match
    provider: str
    priority: int


@dataclass(frozen=True, slots=True)
class PriceRule:
    """One way in which a model's name leads to one of its prices.

    Of the rules of a provider (and of provider `""`, which is any) that match the name and are
    active at the time of the call, the one with the lowest `priority` counts.

    `start_date` is a UTC day; `from_second` and `until_second` bound a daily interval in UTC,
    `[from, until)`, running over midnight where `until` is the smaller.
    """

    provider: str
    match: Match
    priority: int
    price: ModelPrice
    start_date: date = ALWAYS
    from_second: int = 0
    until_second: int = DAY_SECONDS

    @property
    def timeless(self) -> bool:
        """Whether the rule is active at any time."""
        return self.until_second - self.from_second == DAY_SECONDS and self.start_date == ALWAYS

    def active(self, day: int, second: int) -> bool:
        """Tell whether the rule holds on UTC `day` (since 1970-01-01) at `second` of that day."""
        if day < (self.start_date - ALWAYS).days:
            return False
        if self.until_second < self.from_second:
            return second >= self.from_second or second < self.until_second
        return self.from_second <= second < self.until_second

    def row(self) -> dict[str, Any]:
        """Return the rule as a flat table row, its columns named and ordered as `COLUMNS`."""
        return {
            "provider": self.provider,
            "match_kind": self.match.kind,
            "pattern": self.match.pattern,
            "unless": self.match.unless,
            "priority": self.priority,
            "start_date": self.start_date,
            "from_second": self.from_second,
            "until_second": self.until_second,
            "price_provider": self.price.provider,
        } | {f.name: getattr(self.price, f.name) for f in fields(ModelPrice)[1:]}


COLUMNS: Final = (
    "provider",
    "match_kind",
    "pattern",
    "unless",
    "priority",
    "start_date",
    "from_second",
    "until_second",
    "price_provider",
    *(f.name for f in fields(ModelPrice)[1:]),
)

_COMPACT_DATE: Final = re.compile(r"-(20\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(?=-|:|$)")


def with_dashed_dates(model: str) -> str:
    """Rewrite `gpt-5.2-20251211` to `gpt-5.2-2025-12-11`, as genai-prices does on a miss."""
    return _COMPACT_DATE.sub(_dashed, model)


def _dashed(found: re.Match[str]) -> str:
    year, month, day = found.groups()
    try:
        date(int(year), int(month), int(day))
    except ValueError:
        return found.group()
    return f"-{year}-{month}-{day}"
