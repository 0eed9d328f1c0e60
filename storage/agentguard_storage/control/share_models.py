"""The tables of shared traces and of notes on traces, as typed ORM classes."""

from datetime import datetime

from sqlalchemy import Double, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from agentguard_storage.control.models import Base, Project

__all__ = ["Annotation", "Share"]


class Share(Base):
    """A link to one trace, for whoever holds it; of its token only the keyed hash is kept."""

    __tablename__ = "shares"
    __table_args__ = (Index("ix_shares_project", "project_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey(Project.id))
    trace_id: Mapped[str] = mapped_column(String(32))
    token_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    created_by: Mapped[str] = mapped_column(String(100))
    """The id of the key that made it."""
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]

    def __repr__(self) -> str:
        return f"Share(id={self.id!r}, trace_id={self.trace_id!r})"


class Annotation(Base):
    """A note on a trace, or on one of its spans."""

    __tablename__ = "annotations"
    __table_args__ = (Index("ix_annotations_trace", "project_id", "trace_id", "created_at"),)

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey(Project.id))
    trace_id: Mapped[str] = mapped_column(String(32))
    span_id: Mapped[str] = mapped_column(String(16))
    """Empty for the trace as a whole."""
    text: Mapped[str] = mapped_column(String(2000))
    label: Mapped[str] = mapped_column(String(64))
    score: Mapped[float | None] = mapped_column(Double)
    author_key: Mapped[str] = mapped_column(String(12))
    author: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime]

    def __repr__(self) -> str:
        return f"Annotation(id={self.id!r}, trace_id={self.trace_id!r}, span_id={self.span_id!r})"
