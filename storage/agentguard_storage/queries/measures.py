"""What can be measured, and by what: each as the columns of `spans` and of `usage_hourly`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from agentguard_storage.queries.errors import InvalidQuery

__all__ = [
    "DIMENSIONS", "MEASURES", "MOST_DIMENSIONS", "OF_MODELS", "SUMS", "TOKENS", "USAGE_COLUMNS",
    "USAGE_DIMENSIONS", "Measure", "Value", "amount", "dimensions", "measures_named",
]  # fmt: skip

Value = int | float | Decimal | None
"""Counts and nanoseconds are ints, rates floats, money Decimals in US dollars; None: unknown."""

TOKENS: Final = (
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens",
)  # fmt: skip
_ALL_TOKENS: Final = " + ".join(TOKENS)

_MODEL_CALL: Final = "kind IN ('llm', 'embedding')"

SUMS: Final[Mapping[str, tuple[str, str]]] = {
    "count": ("1", "span_count"),
    "errors": ("status = 'error'", "error_count"),
    "model_calls": (_MODEL_CALL, f"if({_MODEL_CALL}, span_count, 0)"),
    "llm_calls": ("kind = 'llm'", "if(kind = 'llm', span_count, 0)"),
    "tool_calls": ("kind = 'tool'", "if(kind = 'tool', span_count, 0)"),
    "unpriced_calls": ("cost_source = 'unpriced'", "unpriced_calls"),
    "tokens": (_ALL_TOKENS, _ALL_TOKENS),
    **{name: (name, name) for name in TOKENS},
    "cost": ("ifNull(cost, 0)", "cost"),
}
"""What is summed: of a row of `spans`, and of a row of `usage_hourly`."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A figure of some spans.

    It is made of `sums`, out of `SUMS`, and of `columns`, aggregates over `spans`, by name. `rank`
    orders by it, `value` makes it of a row, `empty` is what it is of no spans. Statements call
    each of these `m_` and its name: the name alone would hide the column of that name.
    """

    sums: tuple[str, ...]
    columns: Mapping[str, str]
    rank: str
    value: Callable[[Mapping[str, Any]], Value]
    empty: Value


def _sum(name: str) -> Measure:
    return Measure((name,), {}, f"m_{name}", lambda row: int(row[f"m_{name}"]), 0)


def _duration(name: str, of: str) -> Measure:
    column = {name: f"if(count() = 0, NULL, {of})"}

    def value(row: Mapping[str, Any]) -> Value:
        found = row[f"m_{name}"]
        return None if found is None else round(found)

    return Measure((), column, f"m_{name}", value, None)


def _column(name: str, of: str) -> Measure:
    return Measure((), {name: of}, f"m_{name}", lambda row: int(row[f"m_{name}"]), 0)


def amount(cost: Decimal, unpriced_calls: int) -> Decimal | None:
    """The dollars of some spans; None where none of their calls has a price, which is not zero."""
    return None if not cost and unpriced_calls else cost


MEASURES: Final[Mapping[str, Measure]] = {
    **{name: _sum(name) for name in SUMS if name != "cost"},
    "cost": Measure(
        ("cost", "unpriced_calls"),
        {},
        "m_cost",
        lambda row: amount(row["m_cost"], row["m_unpriced_calls"]),
        Decimal(0),
    ),
    "error_rate": Measure(
        ("errors", "count"),
        {},
        "m_errors / m_count",
        lambda row: row["m_errors"] / row["m_count"] if row["m_count"] else None,
        None,
    ),
    **{
        f"duration_p{level}": _duration(
            f"duration_p{level}", f"quantile(0.{level})(spans.duration_ns)"
        )
        for level in (50, 90, 95, 99)
    },
    "duration_avg": _duration("duration_avg", "avg(spans.duration_ns)"),
    "duration_max": _duration("duration_max", "max(spans.duration_ns)"),
    "guard_stops": _column(
        "guard_stops", "countIf(spans.kind = 'guard' AND spans.guard_action = 'stop')"
    ),
    "traces": _column("traces", "uniq(spans.trace_id)"),
}

DIMENSIONS: Final = (
    "kind", "service", "environment", "session", "user", "agent", "tool", "provider", "model",
    "status", "guard", "name",
)  # fmt: skip
USAGE_DIMENSIONS: Final = frozenset(
    ("kind", "service", "environment", "agent", "provider", "model")
)
"""Those that `usage_hourly` has too."""
OF_MODELS: Final = frozenset(("kind", "provider", "model"))
"""Those by which it is summed up over all the others."""
USAGE_COLUMNS: Final = ("span_count", "error_count", "unpriced_calls", *TOKENS, "cost")
"""What `usage_hourly` sums up."""
MOST_DIMENSIONS: Final = 3
_ATTRIBUTE: Final = "attr."
_LONGEST: Final = 256


def measures_named(names: Sequence[str]) -> list[Measure]:
    """Return the measures with these names. Raises InvalidQuery."""
    if not names:
        raise InvalidQuery("say what to measure, as in count or cost", where="measures")
    for name in names:
        if name not in MEASURES:
            raise InvalidQuery(
                f"there is no such measure; there are {', '.join(MEASURES)}", where="measures"
            )
    return [MEASURES[name] for name in names]


def dimensions(by: Sequence[str]) -> tuple[list[str], dict[str, str]]:
    """Return the expressions over `spans` that `by` names, and their parameters.

    A dimension is one of `DIMENSIONS`, or `attr.` and the key of an attribute; those that are
    long enough to be kept in `blobs` count as empty. Raises InvalidQuery.
    """
    if len(by) > MOST_DIMENSIONS:
        raise InvalidQuery(f"at most {MOST_DIMENSIONS} dimensions at once", where="by")
    if len(set(by)) < len(by):
        raise InvalidQuery("each dimension can be named once", where="by")
    found, parameters = [], {}
    for number, name in enumerate(by):
        if name in DIMENSIONS:
            found.append(f"toString(spans.{name})")
        elif name.startswith(_ATTRIBUTE) and len(_ATTRIBUTE) < len(name) <= _LONGEST:
            found.append(f"spans.attributes[{{key{number}:String}}]")
            parameters[f"key{number}"] = name.removeprefix(_ATTRIBUTE)
        else:
            raise InvalidQuery(
                f"there is no such dimension; there are {', '.join(DIMENSIONS)}, and attr. with "
                "an attribute's key",
                where="by",
            )
    return found, parameters
