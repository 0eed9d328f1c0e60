"""How fast a budget's scope is spending now."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, get_args

from agentguard_storage.control.cache import ExpiringCache
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import IN_HOURS, STARTED, TimeRange
from agentguard_storage.queries.measures import TOKENS
from agentguard_storage.queries.reader import Reader

__all__ = ["BURN_SCOPES", "Burn", "BurnRates", "BurnScope", "burn_rate"]

BurnScope = Literal["project", "service", "user", "session", "goal", "agent", "tool", "model"]
BURN_SCOPES: Final[tuple[BurnScope, ...]] = get_args(BurnScope)
"""What budgets can be about."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Burn:
    """What a scope used from `since` to `until`: its calls, tokens, and US dollars.

    `calls` are to models, or to the tool where that is the scope; those of them without a known
    price are `unpriced_calls`, and not in the `cost`.
    """

    since: datetime
    until: datetime
    calls: int
    tokens: int
    cost: Decimal
    unpriced_calls: int

    @property
    def hours(self) -> Decimal:
        """How long that is."""
        return Decimal((self.until - self.since) // timedelta(microseconds=1)) / 3_600_000_000

    @property
    def cost_per_hour(self) -> Decimal:
        """US dollars in an hour."""
        return self.cost / self.hours

    @property
    def tokens_per_hour(self) -> float:
        """Tokens in an hour."""
        return float(self.tokens / self.hours)

    @property
    def calls_per_hour(self) -> float:
        """Calls in an hour."""
        return float(self.calls / self.hours)


_OF_USAGE: Final[Mapping[BurnScope, str]] = {
    "project": "1",
    "service": "service = {value:String}",
    "agent": "agent = {value:String}",
    "model": "model = {value:String}",
}
_OF_SPANS: Final[Mapping[BurnScope, str]] = {
    **_OF_USAGE,
    "user": "user = {value:String}",
    "session": "session = {value:String}",
    "goal": "attributes['agentguard.run.goal'] = {value:String}",
    "tool": "tool = {value:String}",
}
_MODELS: Final = "kind IN ('llm', 'embedding')"

_SPANS: Final = f"""
SELECT
    count() AS calls, sum({" + ".join(TOKENS)}) AS all_tokens,
    sum(ifNull(spans.cost, 0)) AS dollars,
    countIf(cost_source = 'unpriced') AS unpriced
FROM spans
WHERE project_id = {{project:String}} AND {IN_HOURS} AND {STARTED} AND %s AND %s
"""
_USAGE: Final = f"""
SELECT
    sum(span_count) AS calls, sum({" + ".join(TOKENS)}) AS all_tokens,
    sum(u.cost) AS dollars,
    sum(unpriced_calls) AS unpriced
FROM usage_hourly AS u
WHERE project_id = {{project:String}} AND {IN_HOURS} AND {_MODELS} AND %s
"""


def burn_rate(
    reader: Reader,
    scope: BurnScope,
    value: str = "",
    *,
    now: datetime,
    window: timedelta = timedelta(hours=1),
) -> Burn:
    """Return what the scope used in the time until `now`, in which calls may still be running.

    `value` says which service, user and so on. Whole hours are summed up already for a project,
    service, agent and model: their window begins at a full hour, the last that leaves it as long
    as asked for. Raises InvalidQuery, QueryTooLarge, StoreUnavailable.
    """
    if scope not in _OF_SPANS:
        raise InvalidQuery(f"a scope is one of {', '.join(BURN_SCOPES)}", where="scope")
    if not timedelta(minutes=1) <= window <= timedelta(days=31):
        raise InvalidQuery("a window is from a minute to 31 days long", where="window")
    since = now - window
    if scope in _OF_USAGE and window >= timedelta(hours=1):
        since = since.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
        statement = _USAGE % _OF_USAGE[scope]
    else:
        kind = "kind = 'tool'" if scope == "tool" else _MODELS
        statement = _SPANS % (kind, _OF_SPANS[scope])
    asked = TimeRange(since, now)
    [row] = reader.rows(statement, {**asked.parameters(), "value": value})
    return Burn(
        since=since,
        until=now,
        calls=row["calls"],
        tokens=row["all_tokens"],
        cost=row["dollars"],
        unpriced_calls=row["unpriced"],
    )


class BurnRates:
    """`burn_rate` over an hour, for agents, who ask far more often than it changes.

    What was found is told again for five seconds, by project, scope and value. Thread-safe.
    """

    def __init__(self) -> None:
        self._known: ExpiringCache[Burn] = ExpiringCache(_KNOWN_S, _KNOWN, time.monotonic)

    def of(self, reader: Reader, scope: BurnScope, value: str, *, now: datetime) -> Burn:
        """Return how fast the scope spends, or did so a moment ago; raises as `burn_rate` does."""
        key, asked_at = f"{reader.project_id} {scope} {value}", time.monotonic()
        found = self._known.get(key)
        if found is None:
            found = burn_rate(reader, scope, value, now=now)
            self._known.put(key, found, asked_at)
        return found


_KNOWN_S: Final = 5.0
_KNOWN: Final = 10_000
