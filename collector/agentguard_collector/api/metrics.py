"""Any measure, by any dimension, over time: /api/v1/metrics."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Final

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from agentguard_collector.api.asking import Asking
from agentguard_collector.api.etags import NOT_MODIFIED
from agentguard_collector.api.parameters import NO_CONTROLS, When, Where, Zone
from agentguard_collector.api.routing import api_router
from agentguard_collector.api.shapes import Moment, Shape
from agentguard_storage.queries.intervals import Interval, zone
from agentguard_storage.queries.measures import DIMENSIONS, MEASURES, MOST_DIMENSIONS, Value
from agentguard_storage.queries.metrics import MOST_GROUPS, Measured, measure

__all__ = ["router"]

_MOST_MEASURES: Final = 12
_A_DIMENSION: Final = rf"^({'|'.join(DIMENSIONS)}|attr\.[^\x00-\x1f\x7f]{{1,250}})$"

Measures = Annotated[
    list[Annotated[str, Field(max_length=40, json_schema_extra={"enum": list(MEASURES)})]],
    Query(
        alias="measure",
        min_length=1,
        max_length=_MOST_MEASURES,
        description=f"What to measure; give it several times for several: {', '.join(MEASURES)}. "
        "Durations are in milliseconds, `cost` in US dollars.",
        examples=[["cost", "count"]],
    ),
]
By = Annotated[
    list[
        Annotated[
            str,
            Field(max_length=256, pattern=NO_CONTROLS, json_schema_extra={"pattern": _A_DIMENSION}),
        ]
    ]
    | None,
    Query(
        max_length=MOST_DIMENSIONS,
        description=f"The dimensions: {', '.join(DIMENSIONS)}, or `attr.` and an attribute's key.",
        examples=[["model"]],
    ),
]


class MeasuredRowOut(Shape):
    """The figures of one group in one interval."""

    at: Moment | None = Field(description="When the interval begins; null without intervals.")
    group: dict[str, str] | None = Field(
        description="Its dimensions; null for all groups beyond the limit together."
    )
    values: dict[str, int | float | None] = Field(description="Null: nothing to measure.")


class MeasuredOut(Shape):
    """Rows by group, the one with most of the first measure first, and within it by time."""

    measures: list[str]
    by: list[str]
    rows: list[MeasuredRowOut]

    @classmethod
    def of(cls, found: Measured) -> MeasuredOut:
        """From what the store says."""
        return cls(
            measures=list(found.measures),
            by=list(found.by),
            rows=[
                MeasuredRowOut(
                    at=row.at,
                    group=None
                    if row.group is None
                    else dict(zip(found.by, row.group, strict=True)),
                    values={
                        name: _number(name, value)
                        for name, value in zip(found.measures, row.values, strict=True)
                    },
                )
                for row in found.rows
            ],
        )


def _number(name: str, value: Value) -> int | float | None:
    if value is not None and name.startswith("duration_"):
        return float(value) / 1e6
    return float(value) if isinstance(value, Decimal) else value


def router() -> APIRouter:
    """Sums, rates and percentiles."""
    made = api_router("metrics")

    @made.get("", response_model=MeasuredOut, responses=NOT_MODIFIED)
    async def get_metrics(
        asking: Asking,
        when: When,
        where: Where,
        measures: Measures,
        by: By = None,
        interval: Annotated[
            Interval | None,
            Query(description="One row for each; for all of the range unless given."),
        ] = None,
        timezone: Zone = "UTC",
        limit: Annotated[
            int, Query(ge=1, le=MOST_GROUPS, description="Groups; the others are one.")
        ] = 20,
    ) -> Response:
        """Measure the spans that started within the range and match the filter."""
        return await asking.cached(
            lambda reader: MeasuredOut.of(
                measure(
                    reader,
                    when,
                    measures=measures,
                    by=by or (),
                    interval=interval,
                    timezone=zone(timezone),
                    filter=where,
                    limit=limit,
                )
            )
        )

    return made
