"""How much was recorded: /api/v1/usage."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from agentguard_collector.api.asking import Asking
from agentguard_collector.api.etags import NOT_MODIFIED
from agentguard_collector.api.parameters import Zone
from agentguard_collector.api.routing import api_router
from agentguard_collector.api.shapes import Exact, Moment, Shape, Usd, exact, usd
from agentguard_storage.queries.usage import DayUsage, Usage, usage_of_month

__all__ = ["router"]

_PLAN: Final = "self-hosted"


class DayOut(Shape):
    """One day of the month."""

    day: date
    event_count: int
    error_count: int
    model_calls: int
    unpriced_calls: int
    tokens: int
    total_cost: Usd

    @classmethod
    def of(cls, day: DayUsage) -> DayOut:
        """From what the store says."""
        return cls(
            day=day.day,
            event_count=day.event_count,
            error_count=day.error_count,
            model_calls=day.model_calls,
            unpriced_calls=day.unpriced_calls,
            tokens=day.tokens,
            total_cost=usd(day.cost),
        )


class UsageOut(Shape):
    """What a project sent in a calendar month; an event is a span."""

    plan: str = Field(examples=[_PLAN])
    current_month: str = Field(examples=["2026-01"])
    starts_at: Moment
    ends_at: Moment
    event_count: int
    event_limit: int | None = Field(description="Null: there is no limit.")
    retention_days: int | None = Field(description="How long what comes now is kept.")
    max_keys: int | None = Field(description="Null: there is no limit.")
    max_users: int | None = Field(description="Null: there is no limit.")
    error_count: int
    model_calls: int
    unpriced_calls: int
    tokens: int
    total_cost: Usd
    total_cost_exact: Exact
    first_at: Moment | None = Field(description="The first hour that there ever was a span in.")
    last_at: Moment | None = Field(description="The last one.")
    by_day: list[DayOut]

    @classmethod
    def of(cls, found: Usage) -> UsageOut:
        """From what the store says."""
        return cls(
            plan=found.plan,
            current_month=found.current_month,
            starts_at=found.starts_at,
            ends_at=found.ends_at,
            event_count=found.event_count,
            event_limit=found.event_limit,
            retention_days=found.retention_days,
            max_keys=None,
            max_users=None,
            error_count=found.error_count,
            model_calls=found.model_calls,
            unpriced_calls=found.unpriced_calls,
            tokens=found.tokens,
            total_cost=usd(found.cost),
            total_cost_exact=exact(found.cost),
            first_at=found.first_at,
            last_at=found.last_at,
            by_day=[DayOut.of(day) for day in found.by_day],
        )


def router() -> APIRouter:
    """The current month's usage."""
    made = api_router("usage")

    @made.get("", response_model=UsageOut, responses=NOT_MODIFIED)
    async def get_usage(
        asking: Asking,
        timezone: Zone = "UTC",
        month: Annotated[
            str | None,
            Query(
                pattern=r"^20[0-9]{2}-(0[1-9]|1[0-2])$",
                description="Which month; this one, unless given.",
                examples=["2026-01"],
            ),
        ] = None,
    ) -> Response:
        """What was sent in a month, by day."""
        now = datetime.now(UTC)
        # The middle of a month is in it in every time zone.
        asked = datetime.fromisoformat(f"{month}-15T12:00:00+00:00") if month else now
        return await asking.cached(
            lambda reader: UsageOut.of(
                usage_of_month(
                    reader,
                    now=asked,
                    timezone=timezone,
                    plan=_PLAN,
                    retention_days=asking.who.retention_days,
                )
            )
        )

    return made
