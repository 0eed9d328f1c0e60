"""What `agentguard exec` was asked for, on its way into the processes of the program."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentguard.errors import ConfigurationError

if TYPE_CHECKING:
    from agentguard.budgets.ledger import Ledger
    from agentguard.budgets.spend import Limits
    from agentguard.guards.guard import Guard

__all__ = ["PLAN_VAR", "Plan"]

PLAN_VAR: Final = "AGENTGUARD_EXEC"
"""The variable that holds the plan. Only the program's own processes see it."""

_SITE: Final = Path(__file__).with_name("site")


@dataclass(frozen=True, slots=True)
class Plan:
    """The run around the program, its guards, and where its processes report.

    `address` and `secret` are those of the `Desk`. `ends_at` is in Unix seconds. `shared` names a
    budget in the control plane.
    """

    run_id: str
    name: str
    address: str
    secret: str
    max_calls: int | None = None
    max_tokens: int | None = None
    max_cost_usd: str | None = None
    shared: str | None = None
    ends_at: float | None = None
    idle_seconds: float | None = None
    loop: bool = False

    @classmethod
    def of_process(cls) -> Plan | None:
        """The plan that this process is under; None outside of `agentguard exec`."""
        text = os.environ.get(PLAN_VAR)
        if not text:
            return None
        try:
            return cls(**json.loads(text))
        except (ValueError, TypeError):
            raise ConfigurationError(
                f"{PLAN_VAR} is set by `agentguard exec` for its program, and cannot be read"
            ) from None

    def environment(self, outer: Mapping[str, str]) -> dict[str, str]:
        """The variables of the program."""
        folders = [str(_SITE), *filter(None, [outer.get("PYTHONPATH")])]
        return {
            **outer,
            PLAN_VAR: json.dumps(asdict(self)),
            "PYTHONPATH": os.pathsep.join(folders),
        }

    @property
    def limits(self) -> Limits:
        """What all processes of the program may spend together."""
        from agentguard.budgets.spend import Limits, pico_dollars

        cost = self.max_cost_usd
        return Limits(
            self.max_calls, self.max_tokens, None if cost is None else pico_dollars(Decimal(cost))
        )

    def guards(self, ledger: Ledger) -> list[Guard]:
        """The guards of one process; what it spends is kept in the ledger.

        They fail closed: nobody is there to see that a guard did not work.
        """
        from agentguard.guards.budget import BudgetGuard

        found: list[Guard] = []
        if any(limit is not None for limit in self.limits):
            found.append(BudgetGuard(ledger=ledger, on_error="closed"))
        if self.shared:
            found.append(BudgetGuard(shared=self.shared, on_error="closed"))
        if self.ends_at is not None or self.idle_seconds is not None:
            from agentguard.guards.timeout import TimeoutGuard

            left = None if self.ends_at is None else max(0.001, self.ends_at - time.time())
            found.append(TimeoutGuard(left, idle_seconds=self.idle_seconds, on_error="closed"))
        if self.loop:
            from agentguard.guards.loop import LoopGuard

            found.append(LoopGuard(on_error="closed"))
        return found
