"""Calls about usage, costs and measures, help with filters, and exports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from agentguard.client.arguments import Time, names, query, reading
from agentguard.client.call import Call
from agentguard.client.models import Completions, Costs, Measured, Usage

if TYPE_CHECKING:
    import httpx2

__all__ = ["ExportFormat", "complete", "costs", "export", "metrics", "usage"]

ExportFormat = Literal["json", "ndjson", "csv", "parquet", "otlp-json", "otlp-ndjson"]
Interval = Literal["minute", "hour", "day", "week", "month"]


def usage(*, month: str | None = None, timezone: str = "UTC") -> Call[Usage]:
    """What was sent in a month (`2026-01`; this one, unless given), by day."""
    return Call("GET", "/usage", reading(Usage), query(month=month, timezone=timezone))


def costs(*, months: int = 6, timezone: str = "UTC") -> Call[Costs]:
    """What this month cost until now, by model, and what its stops saved: an estimate."""
    return Call("GET", "/costs", reading(Costs), query(months=months, timezone=timezone))


def metrics(
    measures: str | Iterable[str],
    *,
    by: str | Iterable[str] | None = None,
    interval: Interval | None = None,
    filter: str = "",  # noqa: A002 - the parameter's name everywhere
    start: Time = "24h",
    end: Time = "now",
    timezone: str = "UTC",
    limit: int = 20,
) -> Call[Measured]:
    """Any measures (`cost`, `count`, `duration_p95`, ...) by any dimensions, over time."""
    given = query(
        measure=names(measures),
        by=names(by),
        interval=interval,
        filter=filter,
        start=start,
        end=end,
        timezone=timezone,
        limit=limit,
    )
    return Call("GET", "/metrics", reading(Measured), given)


def complete(
    text: str, position: int | None = None, *, start: Time = "24h", end: Time = "now"
) -> Call[Completions]:
    """What may come next in a filter, from the names and values that there are."""
    given = query(text=text, position=position, start=start, end=end)
    return Call("GET", "/complete", reading(Completions), given)


def export(
    format: ExportFormat = "ndjson",  # noqa: A002 - the parameter's name everywhere
    filter: str = "",  # noqa: A002
    *,
    start: Time = "24h",
    end: Time = "now",
) -> Call[httpx2.Response]:
    """All spans that started within the range and match the filter, as a stream."""
    given = query(format=format, filter=filter, start=start, end=end)
    return Call("GET", "/export", lambda response: response, given, streamed=True)
