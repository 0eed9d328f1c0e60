"""Parameters that several resources have: a range of time, a filter, a page."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final

from fastapi import Depends, Path, Query

from agentguard_storage.filters import Filter, parse
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.hours import TimeRange

__all__ = [
    "NO_CONTROLS",
    "TIME_ZONE",
    "Cursor",
    "Limit",
    "OtherTrace",
    "SpanId",
    "TraceId",
    "When",
    "Where",
    "Zone",
    "moment",
]

NO_CONTROLS: Final = r"^[^\x00-\x1f\x7f]*$"
TIME_ZONE: Final = "iana-time-zone"
"""The format of what the OpenAPI document makes a choice of time zones."""
_RELATIVE: Final = re.compile(r"-?(\d{1,6})(s|m|h|d|w)")
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_FORM: Final = "ISO 8601 with a zone (`2026-01-31T12:00:00Z`), a date, or so long ago (`1h`, `7d`)"

_Time = Annotated[str, Query(max_length=40, pattern=NO_CONTROLS)]


def moment(text: str, where: str, now: datetime) -> datetime:
    """Read a time, or how long ago it was. Raises InvalidQuery, naming the parameter `where`."""
    text = text.strip()
    try:
        if found := _RELATIVE.fullmatch(text):
            return now - timedelta(**{_UNITS[found[2]]: int(found[1])})
        if text == "now":
            return now
        # A plus that was not escaped in a URL is a blank.
        time = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        if time.tzinfo is None:
            if len(text) > len("2026-01-31"):
                raise InvalidQuery(
                    f"{where} needs a time zone, as in 2026-01-31T12:00:00Z", where=where
                )
            time = time.replace(tzinfo=UTC)
        return time.astimezone(UTC)
    except (ValueError, OverflowError):
        raise InvalidQuery(
            f"{where} is not a time: use {_FORM.replace('`', '')}", where=where
        ) from None


def _when(
    start: Annotated[_Time, Query(description=f"The first moment: {_FORM}.", examples=["24h"])] = (
        "24h"
    ),
    end: Annotated[
        _Time, Query(description="The moment after the last, in the same forms.", examples=["now"])
    ] = "now",
) -> TimeRange:
    now = datetime.now(UTC)
    return TimeRange(moment(start, "start", now), moment(end, "end", now)).of_a_request()


def _where(
    text: Annotated[
        str,
        Query(
            alias="filter",
            max_length=2_000,
            pattern=NO_CONTROLS,
            description="What is asked for, in the filter language.",
            examples=["kind:llm cost:>0.05"],
        ),
    ] = "",
) -> Filter:
    return parse(text)


def _trace_id(
    trace_id: Annotated[
        str,
        Path(
            pattern=r"^[0-9a-fA-F]{32}$",
            description="32 hexadecimal digits.",
            examples=["4bf92f3577b34da6a3ce929d0e0e4736"],
        ),
    ],
) -> str:
    return trace_id.lower()


def _other_trace(
    other: Annotated[
        str,
        Path(
            pattern=r"^[0-9a-fA-F]{32}$",
            description="32 hexadecimal digits: the trace to compare with.",
            examples=["a3ce929d0e0e47364bf92f3577b34da6"],
        ),
    ],
) -> str:
    return other.lower()


def _span_id(
    span_id: Annotated[
        str,
        Path(
            pattern=r"^[0-9a-fA-F]{16}$",
            description="16 hexadecimal digits.",
            examples=["00f067aa0ba902b7"],
        ),
    ],
) -> str:
    return span_id.lower()


When = Annotated[TimeRange, Depends(_when)]
Where = Annotated[Filter, Depends(_where)]
TraceId = Annotated[str, Depends(_trace_id)]
OtherTrace = Annotated[str, Depends(_other_trace)]
SpanId = Annotated[str, Depends(_span_id)]
Limit = Annotated[int, Query(ge=1, le=1_000, description="Rows of a page, at most.")]
Cursor = Annotated[
    str | None,
    Query(
        max_length=1_024,
        pattern=r"^[A-Za-z0-9_-]*$",
        description="`next_cursor` of the page before; everything else as it was there.",
    ),
]

Zone = Annotated[
    str,
    Query(
        max_length=64,
        pattern=NO_CONTROLS,
        description="Whose days and months they are: a name of the IANA time zone database.",
        examples=["Europe/Berlin"],
        json_schema_extra={"format": TIME_ZONE},
    ),
]
