"""What stops saved: estimates, from each run's own rate before it was stopped.

What a run would have spent cannot be known; a program may end at its first refusal, or try a
hundred times. Of a process of which nothing is known but how long it has lasted, half will last
as long again (J. R. Gott, Nature 363, 1993), so that is taken: as long again, at the rate of the
second half before the stop, because calls become dearer as a conversation grows. A run with fewer
than two priced calls has no rate, and nothing is estimated.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from agentguard_storage.queries.hours import IN_HOURS, TimeRange
from agentguard_storage.queries.pages import wanted
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.slices import LONGEST_TRACE, moment, slice_parameters

__all__ = ["METHOD", "ModelCall", "Saved", "Savings", "StopSaving", "saved", "savings"]

METHOD: Final = (
    "estimate: had the run gone on for as long again, at the rate of the second half of the time "
    "before its stop"
)

_FEWEST: Final = 2
_HOUR_NS: Final = 3_600 * 10**9

ModelCall = tuple[int, Decimal | None]
"""When a model call began (Unix nanoseconds), and its US dollars; None where it has no price."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Saved:
    """An estimate of what one stop saved, in US dollars, and what it was made of.

    `amount` is None where it cannot be estimated. `calls` and `cost` are those of the run's model
    calls before the stop, without price for `unpriced_calls` of them; `seconds` are from the first
    of them to the stop. The rate is that of the last `rate_calls`.
    """

    amount: Decimal | None
    method: str
    cost_per_hour: Decimal | None
    rate_calls: int
    calls: int
    unpriced_calls: int
    cost: Decimal
    seconds: float


def saved(calls: Iterable[ModelCall], stopped_ns: int) -> Saved:
    """Estimate what the stop at this Unix nanosecond saved, from the model calls before it.

    Leave out what was refused; calls that began later are ignored.
    """
    earlier = [call for call in calls if call[0] < stopped_ns]
    priced = [(at, cost) for at, cost in earlier if cost is not None]
    nanoseconds = stopped_ns - min((at for at, _ in earlier), default=stopped_ns)
    half = nanoseconds // 2
    recent = [cost for at, cost in priced if at >= stopped_ns - half]
    basis, over = recent, half
    if len(recent) < _FEWEST:
        basis, over = [cost for _, cost in priced], nanoseconds
    known = len(basis) >= _FEWEST
    spent = sum(basis, Decimal(0))
    return Saved(
        amount=spent * nanoseconds / over if known else None,
        method=METHOD,
        cost_per_hour=spent * _HOUR_NS / over if known else None,
        rate_calls=len(basis) if known else 0,
        calls=len(earlier),
        unpriced_calls=len(earlier) - len(priced),
        cost=sum((cost for _, cost in priced), Decimal(0)),
        seconds=nanoseconds / 10**9,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSaving:
    """The first stop in one trace, and an estimate of what it saved."""

    trace_id: str
    stopped_at: datetime
    service: str
    guard: str
    reason: str
    saved: Saved


@dataclass(frozen=True, slots=True, kw_only=True)
class Savings:
    """What the stops of a time saved: an estimate, in US dollars.

    `amount` adds up the estimates of the `known` stops, and is None where there are none; of
    `unknown` ones nothing can be said. `stops` are both, the latest first; `complete` is whether
    they are all.
    """

    amount: Decimal | None
    method: str
    known: int
    unknown: int
    complete: bool
    stops: list[StopSaving]


# Where stopped traces lie in `spans` is looked up in `traces`, so that only their spans are read.
_PLACES: Final = f"""
    SELECT ts_hour, trace_id FROM traces
    WHERE project_id = {{project:String}} AND {IN_HOURS} AND trace_id IN (
        SELECT trace_id FROM traces
        WHERE project_id = {{project:String}} AND {IN_HOURS} AND stop_reason != '')
"""
_STOPS: Final = f"""
SELECT
    trace_id,
    min((toUnixTimestamp64Nano(start_time), span_id, toString(service), toString(guard),
        if(stop_reason != '', toString(stop_reason), status_message))) AS stop
FROM spans
WHERE project_id = {{project:String}} AND {IN_HOURS}
    AND kind = 'guard' AND guard_action = 'stop' AND (ts_hour, trace_id) IN ({_PLACES})
GROUP BY trace_id
HAVING stop.1 BETWEEN {{first_ns:Int64}} AND {{last_ns:Int64}}
ORDER BY stop.1 DESC, trace_id DESC
LIMIT {{limit:UInt32}}
"""
# A call without tokens that failed was refused, or never answered: it cost nothing.
_CALLS: Final = f"""
SELECT
    trace_id,
    groupArray((toUnixTimestamp64Nano(start_time),
        if(cost_source = 'unpriced', NULL, ifNull(spans.cost, 0)))) AS calls
FROM spans
WHERE project_id = {{project:String}} AND {IN_HOURS}
    AND kind IN ('llm', 'embedding') AND (ts_hour, trace_id) IN (
        SELECT ts_hour, trace_id FROM traces
        WHERE project_id = {{project:String}} AND {IN_HOURS}
            AND trace_id IN {{traces:Array(String)}})
    AND NOT (status = 'error' AND input_tokens + cache_read_tokens + cache_write_tokens
        + output_tokens + reasoning_tokens = 0)
GROUP BY trace_id
"""


def savings(reader: Reader, time_range: TimeRange, *, limit: int = 200) -> Savings:
    """Estimate what the stops in the range saved: the first of each trace, at most the latest.

    Raises InvalidQuery, QueryTooLarge, StoreUnavailable.
    """
    wanted(limit)
    hours = slice_parameters(time_range, LONGEST_TRACE, LONGEST_TRACE)
    rows = reader.rows(_STOPS, {**hours, "limit": limit + 1})
    ids = [row["trace_id"] for row in rows[:limit]]
    found = reader.rows(_CALLS, {**hours, "traces": ids}) if ids else []
    calls = {row["trace_id"]: row["calls"] for row in found}
    stops = [_saving(row, calls.get(row["trace_id"], ())) for row in rows[:limit]]
    amounts = [stop.saved.amount for stop in stops if stop.saved.amount is not None]
    return Savings(
        amount=sum(amounts, Decimal(0)) if amounts else None,
        method=METHOD,
        known=len(amounts),
        unknown=len(stops) - len(amounts),
        complete=len(rows) <= limit,
        stops=stops,
    )


def _saving(row: Mapping[str, Any], calls: Iterable[ModelCall]) -> StopSaving:
    stopped_ns, _, service, guard, reason = row["stop"]
    return StopSaving(
        trace_id=row["trace_id"],
        stopped_at=moment(stopped_ns),
        service=service,
        guard=guard,
        reason=reason,
        saved=saved(calls, stopped_ns),
    )
