"""What a run did and used, for its receipt."""

from __future__ import annotations

import threading
from collections import Counter, defaultdict
from decimal import Decimal
from operator import add
from typing import TYPE_CHECKING

from agentguard.guards.call import MODEL_KINDS, Call
from agentguard.prices.model import Usage

if TYPE_CHECKING:
    from agentguard.prices.meter import Meter

__all__ = ["Tally"]

_PICO = Decimal("1e-12")
_MOST_UNPRICED = 1_000


class Tally:
    """Counts of one run. Cheap to add to: prices are looked up when costs are read."""

    __slots__ = (
        "_lock",
        "_pico",
        "_unpriced",
        "_used",
        "calls",
        "errors",
        "models",
        "refused",
        "stated_cost",
        "tools",
        "unknown",
    )

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._unpriced: list[tuple[str | None, str, Usage]] = []
        self._pico = 0
        self._used: tuple[int, ...] = Usage()
        self.calls = 0
        """Model calls that were sent."""
        # To set an item of a `Counter` goes by way of Python, and takes twenty times as long.
        self.models: defaultdict[str, int] = defaultdict(int)
        """Calls of each model."""
        self.tools: defaultdict[str, int] = defaultdict(int)
        """Calls of each tool."""
        self.errors = 0
        self.refused: Counter[str] = Counter()
        """Operations that were refused, by their kind."""
        self.unknown: set[str] = set()
        """The models whose price was looked up and is not known: their calls are not in the cost.
        """
        self.stated_cost = Decimal(0)
        """US dollars of the calls that said themselves what they cost."""

    @property
    def usage(self) -> Usage:
        """All tokens, disjoint."""
        with self._lock:
            return Usage(*self._used)

    def add(self, call: Call) -> None:
        """Count a call that ended."""
        with self._lock:
            if call.outcome == "refused":
                self.refused[call.kind] += 1
                return
            if call.outcome == "error":
                self.errors += 1
            if call.kind == "tool":
                self.tools[call.name] += 1
            elif call.kind in MODEL_KINDS:
                self._add_model_call(call)

    def count(self, tool: str, *, failed: bool) -> None:
        """Count a tool, or with no name something else, that ended in a run without guards."""
        with self._lock:
            self.errors += failed
            if tool:
                self.tools[tool] += 1

    def count_refused(self, kind: str) -> None:
        """Count what a stopped run without guards refused."""
        with self._lock:
            self.refused[kind] += 1

    def _add_model_call(self, call: Call) -> None:
        self.calls += 1
        model, usage = call.model or call.name, call.usage
        self.models[model] += 1
        if usage is not None:
            self._used = tuple(map(add, self._used, usage))
        if call.cost is not None:
            self.stated_cost += call.cost
        elif usage is not None:
            self._unpriced.append((call.provider, model, usage))
            if len(self._unpriced) % _MOST_UNPRICED == 0:
                self._price_if_loaded()

    def cost_usd(self) -> Decimal:
        """US dollars, at the prices of today; the first to ask may wait for them to be loaded."""
        with self._lock:
            self._price()
            return self.stated_cost + self._pico * _PICO

    def _price(self) -> None:
        if self._unpriced:
            from agentguard.prices.source import load_meter, override_file

            self._price_with(load_meter(override_file()))

    def _price_if_loaded(self) -> None:
        """No call waits for the prices to be loaded."""
        from agentguard.prices.source import loaded_meter, override_file

        meter = loaded_meter(override_file())
        if meter is not None:
            self._price_with(meter)

    def _price_with(self, meter: Meter) -> None:
        for provider, model, usage in self._unpriced:
            price = meter.price(provider, model)
            if price is None:
                self.unknown.add(model)
            else:
                self._pico += price.cost(usage)
        self._unpriced.clear()
