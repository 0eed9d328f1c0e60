"""Shapes that several resources have: money, tokens, durations."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, PlainSerializer

__all__ = [
    "WHOLE",
    "Exact",
    "Moment",
    "Ms",
    "MsOfNs",
    "Shape",
    "Tokens",
    "Usd",
    "exact",
    "milliseconds",
    "moment_text",
    "usd",
]


def moment_text(time: datetime) -> str:
    """A time as answers have it: UTC, to the microsecond."""
    return time.isoformat(timespec="microseconds").replace("+00:00", "Z")


Moment = Annotated[
    datetime,
    PlainSerializer(moment_text, return_type=str, when_used="json"),
    Field(description="UTC."),
]
Usd = Annotated[
    float | None, Field(description="US dollars, to 15 digits; null where no price is known.")
]
Exact = Annotated[
    str | None, Field(description="The same as a decimal text.", examples=["0.001250000000"])
]
Ms = Annotated[float, Field(description="Milliseconds.")]
MsOfNs = Annotated[
    float, BeforeValidator(lambda value: value / 1e6), Field(description="Milliseconds.")
]
"""Of a row's nanoseconds, whose name is the field's `validation_alias`."""


def _whole(value: object) -> object:
    # 198.0 is an integer in JSON Schema; a text or a truth value is none.
    return int(value) if isinstance(value, float) and value.is_integer() else value


WHOLE: Final = BeforeValidator(_whole)
"""For whole numbers in bodies: `Annotated[int, Field(ge=0, strict=True), WHOLE]`, in this order."""


class Shape(BaseModel):
    """What is answered; new members may come in later versions."""

    model_config = ConfigDict(
        from_attributes=True, json_schema_serialization_defaults_required=True
    )


class Tokens(Shape):
    """Disjoint counts: cached and reasoning tokens are in their own alone."""

    input: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int
    total: int

    @classmethod
    def of(cls, row: Any) -> Tokens:
        """Of a row that has the five columns."""
        return cls(**cls.members(row))

    @staticmethod
    def members(row: Any) -> dict[str, int]:
        """Its members."""
        counts = (
            row.input_tokens,
            row.cache_read_tokens,
            row.cache_write_tokens,
            row.output_tokens,
            row.reasoning_tokens,
        )
        return {
            "input": counts[0],
            "cache_read": counts[1],
            "cache_write": counts[2],
            "output": counts[3],
            "reasoning": counts[4],
            "total": sum(counts),
        }


def usd(amount: Decimal | None) -> float | None:
    """As a number."""
    return None if amount is None else float(amount)


def exact(amount: Decimal | None) -> str | None:
    """As a text without an exponent."""
    return None if amount is None else format(amount, "f")


def milliseconds(nanoseconds: int) -> float:
    """Of a duration."""
    return nanoseconds / 1e6
