"""Figures and how they are shown: each against a peer measured in the same run, or a bound."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from rich.table import Table

_SMALL = 10
"""Below it, a tenth is more than a figure is off by."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value; `peer` is the same of what it is compared with."""

    name: str
    value: float
    unit: str
    at_most: float | None = None
    """A bound on the ratio where there is a peer and no `at_least`, else on the value."""
    at_least: float | None = None
    peer: float | None = None

    @property
    def ratio(self) -> float | None:
        """The value over the peer's."""
        return None if not self.peer else self.value / self.peer

    @property
    def reached(self) -> bool | None:
        """Whether the bound is kept; None where there is none."""
        if self.at_least is not None:
            return self.value >= self.at_least
        if self.at_most is None:
            return None
        return (self.value if self.ratio is None else self.ratio) <= self.at_most

    def as_json(self) -> dict[str, Any]:
        """Return all of it, the ratio and the verdict included."""
        return asdict(self) | {"ratio": self.ratio, "reached": self.reached}


def ratio(name: str, ours: float, theirs: float, unit: str, *, at_most: float) -> Figure:
    """Return a figure whose ratio to its peer is bounded."""
    return Figure(name, ours, unit, at_most=at_most, peer=theirs)


def table(figures: list[Figure]) -> Table:
    """Return the figures as rows."""
    shown = Table("figure", *("ours", "peer", "ratio", "target"), "reached", title="Benchmarks")
    for figure in figures:
        verdict = {True: "[green]yes", False: "[red]no", None: ""}[figure.reached]
        shown.add_row(figure.name, *_cells(figure), verdict)
    return shown


def _cells(figure: Figure) -> tuple[str, str, str, str]:
    def value(amount: float | None) -> str:
        digits = 2 if amount is not None and abs(amount) < _SMALL else 1
        return "" if amount is None else f"{amount:,.{digits}f} {figure.unit}"

    share = "" if figure.ratio is None else f"{figure.ratio:.2f}"
    bounded = figure.peer is not None and figure.at_least is None
    if figure.at_least is not None:
        target = f">= {value(figure.at_least)}"
    elif figure.at_most is None:
        target = ""
    else:
        target = f"<= {figure.at_most:.2f}" if bounded else f"<= {value(figure.at_most)}"
    return value(figure.value), value(figure.peer), share, target
