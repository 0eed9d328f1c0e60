"""The tables of shared budgets and of stops, as typed ORM classes.

Dollars are whole pico-dollars (10**-12) in 64 bits.
"""

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from agentguard.budgets.spend import Limits, Spend
from agentguard_storage.control.models import Base, Project
from agentguard_storage.control.periods import Period


class Budget(Base):
    """A named limit of a project; each value of its scope has a pot of its own."""

    __tablename__ = "budgets"
    __table_args__ = (UniqueConstraint("project_id", "name"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey(Project.id))
    name: Mapped[str] = mapped_column(String(100))
    scope: Mapped[str] = mapped_column(String(16))
    max_calls: Mapped[int | None] = mapped_column(BigInteger)
    max_tokens: Mapped[int | None] = mapped_column(BigInteger)
    max_pico_usd: Mapped[int | None] = mapped_column(BigInteger)
    period: Mapped[str] = mapped_column(String(8))
    timezone: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]

    @property
    def limits(self) -> Limits:
        """The most that may be spent of each pot."""
        return Limits(self.max_calls, self.max_tokens, self.max_pico_usd)

    @property
    def every(self) -> Period:
        """How often its pots begin anew."""
        return Period(self.period)

    def __repr__(self) -> str:
        return f"Budget(project_id={self.project_id!r}, name={self.name!r})"


class Pot(Base):
    """What was spent, and is held, of a budget by one value of its scope in one period."""

    __tablename__ = "budget_pots"
    __table_args__ = (UniqueConstraint("budget_id", "scope_value", "starts_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    budget_id: Mapped[str] = mapped_column(ForeignKey(Budget.id, ondelete="CASCADE"))
    scope_value: Mapped[str] = mapped_column(String(256))
    starts_at: Mapped[datetime]
    spent_calls: Mapped[int] = mapped_column(BigInteger)
    spent_tokens: Mapped[int] = mapped_column(BigInteger)
    spent_pico_usd: Mapped[int] = mapped_column(BigInteger)
    held_calls: Mapped[int] = mapped_column(BigInteger)
    held_tokens: Mapped[int] = mapped_column(BigInteger)
    held_pico_usd: Mapped[int] = mapped_column(BigInteger)

    @property
    def spent(self) -> Spend:
        """What was spent."""
        return Spend(self.spent_calls, self.spent_tokens, self.spent_pico_usd)

    @property
    def held(self) -> Spend:
        """What is reserved and not yet spent."""
        return Spend(self.held_calls, self.held_tokens, self.held_pico_usd)

    def __repr__(self) -> str:
        return f"Pot(scope_value={self.scope_value!r}, spent={self.spent}, held={self.held})"


class Reservation(Base):
    """A part of a pot that somebody may spend until it expires: a call's, or a process's lease."""

    __tablename__ = "budget_reservations"
    __table_args__ = (
        Index("ix_budget_reservations_open", "pot_id", "state", "expires_at"),
        Index("ix_budget_reservations_age", "state", "updated_at"),
    )

    budget_id: Mapped[str] = mapped_column(
        ForeignKey(Budget.id, ondelete="CASCADE"), primary_key=True
    )
    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    pot_id: Mapped[str] = mapped_column(ForeignKey(Pot.id, ondelete="CASCADE"))
    asked: Mapped[str] = mapped_column(String(512))
    """What was asked for, in one text: the same again is a repetition, anything else a conflict."""
    state: Mapped[str] = mapped_column(String(8))
    calls: Mapped[int] = mapped_column(BigInteger)
    tokens: Mapped[int] = mapped_column(BigInteger)
    pico_usd: Mapped[int] = mapped_column(BigInteger)
    held_calls: Mapped[int] = mapped_column(BigInteger)
    held_tokens: Mapped[int] = mapped_column(BigInteger)
    held_pico_usd: Mapped[int] = mapped_column(BigInteger)
    spent_calls: Mapped[int] = mapped_column(BigInteger)
    spent_tokens: Mapped[int] = mapped_column(BigInteger)
    spent_pico_usd: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    @property
    def amount(self) -> Spend:
        """What was granted."""
        return Spend(self.calls, self.tokens, self.pico_usd)

    @property
    def held(self) -> Spend:
        """What of it the pot still holds."""
        return Spend(self.held_calls, self.held_tokens, self.held_pico_usd)

    @held.setter
    def held(self, value: Spend) -> None:
        self.held_calls, self.held_tokens, self.held_pico_usd = value

    @property
    def spent(self) -> Spend:
        """What was spent under it so far."""
        return Spend(self.spent_calls, self.spent_tokens, self.spent_pico_usd)

    @spent.setter
    def spent(self, value: Spend) -> None:
        self.spent_calls, self.spent_tokens, self.spent_pico_usd = value

    def __repr__(self) -> str:
        return f"Reservation(id={self.id!r}, state={self.state!r}, held={self.held})"


class StopOrder(Base):
    """A person's order to stop a run, a service's runs, or all of a project's."""

    __tablename__ = "stops"
    __table_args__ = (Index("ix_stops_in_force", "project_id", "lifted_at"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey(Project.id))
    what: Mapped[str] = mapped_column(String(8))
    target: Mapped[str] = mapped_column(String(256))
    reason: Mapped[str] = mapped_column(String(500))
    created_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]

    def __repr__(self) -> str:
        return f"StopOrder(id={self.id!r}, what={self.what!r}, target={self.target!r})"
