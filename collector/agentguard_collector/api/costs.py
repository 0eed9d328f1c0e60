"""What models cost, and what stops saved: /api/v1/costs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from starlette.responses import Response

from agentguard_collector.api.asking import Asking
from agentguard_collector.api.cost_models import CostsOut, ModelOut, MonthOut, SavingsOut
from agentguard_collector.api.etags import NOT_MODIFIED
from agentguard_collector.api.parameters import Zone
from agentguard_collector.api.routing import api_router
from agentguard_storage.queries.costs import MOST_MONTHS, by_model, monthly
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.metrics import measure
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.savings import savings

__all__ = ["router"]


def router() -> APIRouter:
    """The costs of months."""
    made = api_router("costs")

    @made.get("", response_model=CostsOut, responses=NOT_MODIFIED)
    async def get_costs(
        asking: Asking,
        timezone: Zone = "UTC",
        months: Annotated[
            int, Query(ge=1, le=MOST_MONTHS, description="Of `by_month`, this one included.")
        ] = 6,
    ) -> Response:
        """What this month cost until now, by model, and what its stops saved: an estimate."""
        now = datetime.now(UTC)
        return await asking.cached(lambda reader: _costs(reader, now, timezone, months))

    return made


def _costs(reader: Reader, now: datetime, timezone: str, months: int) -> CostsOut:
    found = monthly(reader, now=now, months=months, timezone=timezone)
    current = found[-1]
    month = TimeRange(current.starts_at, current.ends_at)
    traces = measure(reader, month, measures=("traces",)).rows[0].values[0]
    return CostsOut(
        monthly=MonthOut.of(current, trace_count=int(traces or 0)),
        by_month=[MonthOut.of(each, trace_count=None) for each in found],
        by_model=[ModelOut.of(row) for row in by_model(reader, month)],
        savings=SavingsOut.of(savings(reader, month)),
    )
