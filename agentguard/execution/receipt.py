"""What a program did, what it cost, and why it ended."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from agentguard import errors
from agentguard.errors import RunStopped
from agentguard.guards.call import MODEL_KINDS
from agentguard.guards.state import RunState
from agentguard.guards.verdict import Action, Number, Stop
from agentguard.prices.model import Usage

__all__ = ["EndedBy", "Receipt"]


@dataclass(frozen=True, slots=True)
class EndedBy:
    """The guard that stopped it; figures are in `unit`."""

    guard: str
    reason: str
    limit: Number | None = None
    used: Number | None = None
    unit: str = ""
    error: str = RunStopped.__name__
    """The class in `agentguard.errors` that the agent sees."""

    @classmethod
    def of(cls, stop: Stop) -> EndedBy:
        """The same, for other processes."""
        kinds = (kind.__name__ for kind in stop.error.__mro__ if kind.__module__ == errors.__name__)
        return cls(stop.guard, stop.reason, stop.limit, stop.used, stop.unit, next(kinds))

    def stop(self, run: RunState) -> Stop:
        """The stop of a run of this process, for the same reason."""
        return Stop(
            self.guard,
            Action.STOP,
            self.reason,
            run.id,
            run.name,
            getattr(errors, self.error),
            self.limit,
            self.used,
            self.unit,
            time.time(),
            cuts_streams=True,
        )


@dataclass(frozen=True, slots=True)
class Receipt:
    """One process's part of it, or the sum of all.

    `calls` are model calls that were sent, `refused` what was not, by its kind. `cost_usd` leaves
    out the calls of `unpriced_models`.
    """

    calls: int = 0
    models: Counter[str] = field(default_factory=Counter)
    tools: Counter[str] = field(default_factory=Counter)
    errors: int = 0
    refused: Counter[str] = field(default_factory=Counter)
    usage: Usage = field(default_factory=Usage)
    cost_usd: Decimal = Decimal(0)
    unpriced_models: frozenset[str] = frozenset()
    stopped: EndedBy | None = None

    @property
    def refused_calls(self) -> int:
        """Model calls that were not sent."""
        return sum(self.refused[kind] for kind in MODEL_KINDS)

    @property
    def saved_usd(self) -> Decimal:
        """What the refused model calls would have cost: an estimate.

        Each of them at what one cost in the mean before. Calls that a program did not even try,
        once it was stopped, are not in it.
        """
        return self.cost_usd / self.calls * self.refused_calls if self.calls else Decimal(0)

    @classmethod
    def of(cls, run: RunState) -> Receipt:
        """What the run did so far."""
        tally = run.tally
        cost = tally.cost_usd()
        return cls(
            tally.calls,
            Counter(tally.models),
            Counter(tally.tools),
            tally.errors,
            Counter(tally.refused),
            tally.usage,
            cost,
            frozenset(tally.unknown),
            EndedBy.of(run.stopped) if run.stopped else None,
        )

    @classmethod
    def sum(cls, parts: Iterable[Receipt]) -> Receipt:
        """All of them as one; the first that was stopped says why."""
        total = cls()
        for part in parts:
            total = cls(
                total.calls + part.calls,
                total.models + part.models,
                total.tools + part.tools,
                total.errors + part.errors,
                total.refused + part.refused,
                Usage(*map(int.__add__, total.usage, part.usage)),
                total.cost_usd + part.cost_usd,
                total.unpriced_models | part.unpriced_models,
                total.stopped or part.stopped,
            )
        return total
