"""What can go wrong between a process and a shared budget.

SharedBudgetError           (an AgentGuardError)
├── BudgetUnreachable       no answer now; later may work
└── BudgetRefused           an answer that will not change by itself
"""
# ruff: noqa: N818 - they say what happened to the question

from __future__ import annotations

from agentguard.errors import AgentGuardError

__all__ = ["BudgetRefused", "BudgetUnreachable", "SharedBudgetError"]


class SharedBudgetError(AgentGuardError):
    """A shared budget could not be asked; the message says which, and why."""


class BudgetUnreachable(SharedBudgetError):
    """The collector does not answer, or cannot at the moment: trying again later may work."""


class BudgetRefused(SharedBudgetError):
    """The collector answered, and trying again does not help.

    There is no such budget, the key may not spend it, or it is another kind of budget.
    """

    def __init__(self, message: str, status: int = 0) -> None:
        super().__init__(message)
        self.status = status
