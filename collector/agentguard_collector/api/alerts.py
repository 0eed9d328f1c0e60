"""What guards stopped, and what failed: /api/v1/alerts."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from agentguard_collector.api.asking import Asking
from agentguard_collector.api.etags import NOT_MODIFIED
from agentguard_collector.api.parameters import Cursor, Limit, When, Where
from agentguard_collector.api.routing import api_router
from agentguard_collector.api.shapes import Moment, Shape
from agentguard_storage.queries import alerts
from agentguard_storage.queries.alerts import ALERT_KINDS, AlertKind, AlertRow, Severity
from agentguard_storage.queries.pages import Page

__all__ = ["router"]

Kinds = Annotated[
    list[AlertKind] | None,
    Query(alias="kind", max_length=10, description="Of these kinds alone; give it several times."),
]


class AlertOut(Shape):
    """An alert, at its latest occurrence; what is equal to it is counted."""

    alert_id: str
    kind: AlertKind
    severity: Severity
    title: str
    reason: str
    at: Moment
    first_at: Moment
    count: int
    trace_count: int
    trace_id: str = Field(description="Where it happened last.")
    span_id: str
    service: str
    agent: str
    guard: str
    call: str = Field(description="What was called, where a guard said so.")

    @classmethod
    def of(cls, row: AlertRow) -> AlertOut:
        """From what the store says."""
        return cls(
            alert_id=row.alert_id,
            kind=row.kind,
            severity=row.severity,
            title=row.title,
            reason=row.reason,
            at=row.at,
            first_at=row.first_at,
            count=row.count,
            trace_count=row.trace_count,
            trace_id=row.trace_id,
            span_id=row.span_id,
            service=row.service,
            agent=row.agent,
            guard=row.guard,
            call=row.call,
        )


class AlertsOut(Shape):
    """A page of alerts."""

    alerts: list[AlertOut]
    next_cursor: str | None = Field(description="Where the next page begins; null on the last.")

    @classmethod
    def of(cls, page: Page[AlertRow]) -> AlertsOut:
        """From what the store says."""
        return cls(alerts=[AlertOut.of(row) for row in page.rows], next_cursor=page.next_cursor)


def router() -> APIRouter:
    """Lists of alerts."""
    made = api_router("alerts")

    @made.get("", response_model=AlertsOut, responses=NOT_MODIFIED)
    async def list_alerts(
        asking: Asking,
        when: When,
        where: Where,
        kinds: Kinds = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Response:
        """What went wrong in spans that match the filter, the latest first."""
        return await asking.cached(
            lambda reader: AlertsOut.of(
                alerts.list_alerts(
                    reader,
                    when,
                    kinds=kinds or ALERT_KINDS,
                    filter=where,
                    limit=limit,
                    cursor=cursor,
                )
            )
        )

    return made
