"""The table of projects' own prices, as a typed ORM class."""

from datetime import date, datetime
from decimal import Decimal

from sqlalchemy import BigInteger, Date, ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from agentguard.prices.overrides import Override
from agentguard_storage.control.models import Base, Project

__all__ = ["PriceEntry", "dollars", "micros"]


class PriceEntry(Base):
    """What a model costs in a project, from a UTC day on.

    Amounts are whole micro-dollars: per million tokens, and per request. None is the price of
    input, and for reasoning that of output.
    """

    __tablename__ = "price_overrides"
    __table_args__ = (UniqueConstraint("project_id", "provider", "model", "valid_from"),)

    id: Mapped[str] = mapped_column(String(20), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey(Project.id))
    provider: Mapped[str] = mapped_column(String(100))
    """As price rules name it; empty for any."""
    model: Mapped[str] = mapped_column(String(256))
    """In lower case."""
    valid_from: Mapped[date] = mapped_column(Date)
    input: Mapped[int] = mapped_column(BigInteger)
    cache_read: Mapped[int | None] = mapped_column(BigInteger)
    cache_write: Mapped[int | None] = mapped_column(BigInteger)
    output: Mapped[int] = mapped_column(BigInteger)
    reasoning: Mapped[int | None] = mapped_column(BigInteger)
    per_request: Mapped[int] = mapped_column(BigInteger)
    created_by: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]

    @property
    def override(self) -> Override:
        """The entry, as a file of overrides would have it."""
        return Override(
            provider=self.provider,
            model=self.model,
            start=self.valid_from,
            input=dollars(self.input),
            output=dollars(self.output),
            cache_read=None if self.cache_read is None else dollars(self.cache_read),
            cache_write=None if self.cache_write is None else dollars(self.cache_write),
            reasoning=None if self.reasoning is None else dollars(self.reasoning),
            per_request=dollars(self.per_request),
        )

    def __repr__(self) -> str:
        return f"PriceEntry(provider={self.provider!r}, model={self.model!r})"


def micros(amount: Decimal) -> int:
    """Dollars of six decimals as whole micro-dollars."""
    return int(amount.scaleb(6))


def dollars(amount: int) -> Decimal:
    """Micro-dollars as dollars, with no decimals that say nothing: one amount, one spelling."""
    return Decimal(f"{Decimal(amount).scaleb(-6).normalize():f}")
