"""One line of agentguard47's HttpSink, checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from agentguard_collector.agentguard47_meaning import own_cost

__all__ = ["Line"]

_LAST_SECOND: Final = 9_000_000_000.0  # 2255: the nanoseconds of what is later do not fit 64 bits
_LONGEST_MS: Final = 366 * 86_400_000.0
_MOST_DOLLARS: Final = 1e12


@dataclass(frozen=True, slots=True)
class Line:
    """One line, checked. `ts` and `took` are seconds; ids are the sender's own texts."""

    kind: str
    phase: str
    trace: str
    owner: str
    parent: str
    name: str
    service: str
    session: str
    ts: float
    took: float
    data: dict[str, Any]
    metadata: dict[str, Any]
    error: Any
    cost: float | None

    @staticmethod
    def parse(raw: bytes) -> Line | None:
        """Read a line; None for the tracer's own notes. Raises ValueError or RecursionError."""
        line = json.loads(raw)
        if not isinstance(line, dict):
            raise ValueError("a line must be a JSON object")  # noqa: TRY004 - one error for all
        kind = line.get("kind") or line.get("type")
        if kind == "meta":
            return None
        phase = line.get("phase")
        if kind not in ("span", "event"):
            raise ValueError("kind must be span, event or meta")
        if kind == "span" and phase not in ("start", "end"):
            raise ValueError("the phase of a span must be start or end")
        name, data = _text(line, "name"), _object(line, "data")
        stated = own_cost(kind, name, data, line.get("cost_usd"))
        return Line(
            kind=kind,
            phase=str(phase),
            trace=_id_text(line, "trace_id"),
            owner=_id_text(line, "span_id"),
            parent=_text(line, "parent_id") if line.get("parent_id") else "",
            name=name,
            service=_text(line, "service"),
            session=_text(line, "session_id") if line.get("session_id") else "",
            ts=_number(line.get("ts"), "ts", _LAST_SECOND),
            took=_number(line.get("duration_ms") or 0, "duration_ms", _LONGEST_MS) / 1000,
            data=data,
            metadata=_object(line, "metadata"),
            error=line.get("error"),
            cost=None if stated is None else _number(stated, "cost_usd", _MOST_DOLLARS),
        )


def _text(line: Mapping[str, Any], key: str) -> str:
    value = line.get(key)
    if not isinstance(value, str):
        raise ValueError(f"{key} must be a text")  # noqa: TRY004 - one error for a bad line
    return value


def _id_text(line: Mapping[str, Any], key: str) -> str:
    value = _text(line, key)
    if not value:
        raise ValueError(f"{key} must not be empty")
    return value


def _object(line: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = line.get(key)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise ValueError(f"{key} must be an object")  # noqa: TRY004 - one error for a bad line
    return value


def _number(value: object, key: str, below: float) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < below:
        raise ValueError(f"{key} must be a number from 0 to {below:g}")
    return float(value)
