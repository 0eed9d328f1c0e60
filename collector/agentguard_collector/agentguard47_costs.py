"""Which costs of agentguard47 count, where a span's events and its end line both state some."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final, Literal, TypeAlias

__all__ = ["CostLedger"]

_Side: TypeAlias = Literal["calls", "total"]

# About 10 MiB.
_SPANS: Final = 50_000


class CostLedger:
    """Remembers for the last 50,000 spans with costs which of their lines count.

    The end line of a span carries the total of its CostTracker, which a program may fill besides
    sending an event for each call, and nothing in either says so. What comes first for a span
    counts, its calls or its total: calls leave before the end line does. May be asked from threads.
    """

    def __init__(self) -> None:
        self._sides: OrderedDict[bytes, _Side] = OrderedDict()
        self._lock = Lock()

    def count_call(self, span: bytes) -> bool:
        """Tell whether a call inside this span counts; `span` is 16 bytes that stand for it."""
        return self._side(span, "calls") == "calls"

    def count_total(self, span: bytes) -> bool:
        """Tell whether the total on this span's end line counts."""
        return self._side(span, "total") == "total"

    def _side(self, span: bytes, claimed: _Side) -> _Side:
        with self._lock:
            side = self._sides.setdefault(span, claimed)
            self._sides.move_to_end(span)
            if len(self._sides) > _SPANS:
                self._sides.popitem(last=False)
        return side
