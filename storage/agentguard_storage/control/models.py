"""The tables of the control plane, as typed ORM classes."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from enum import StrEnum
from typing import Final

from sqlalchemy import DateTime, Dialect, ForeignKey, LargeBinary, MetaData, String
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.types import TypeDecorator

DEFAULT_RETENTION_DAYS = 30


class Scope(StrEnum):
    """What an API key may do; `MAY` says it in words, and `admin` includes the others."""

    INGEST = "ingest"
    READ = "read"
    BUDGETS = "budgets"
    STOPS = "stops"
    SHARES = "shares"
    ANNOTATIONS = "annotations"
    ADMIN = "admin"


MAY: Final[Mapping[Scope, str]] = {
    Scope.INGEST: "send spans, spend of budgets, and be told of stops",
    Scope.READ: "ask for all that was recorded, and how budgets stand; change nothing",
    Scope.BUDGETS: "set budgets, reserve of them and report what was spent",
    Scope.STOPS: "stop a run",
    Scope.SHARES: "make links to traces for people without a key, list and revoke them",
    Scope.ANNOTATIONS: "write notes on traces and spans, and delete them",
    Scope.ADMIN: "all of these; remove and reset budgets, stop services and lift stops",
}
"""What each scope is good for. Writing scopes are apart from `read`: an agent that asks about its
own runs changes nothing unless somebody said that it may."""


class UtcDateTime(TypeDecorator[datetime]):
    """Aware UTC datetimes, also where the database (SQLite) has no zones."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse a naive datetime: its instant is not known."""
        if value is not None and value.tzinfo is None:
            raise TypeError("a datetime without a time zone was given to the control plane")
        return value if value is None else value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give back UTC, whatever the session's zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class ScopeSet(TypeDecorator[frozenset[Scope]]):
    """A set of scopes in one sorted, space-separated text, as OAuth writes them."""

    impl = String(64)
    cache_ok = True

    def process_bind_param(self, value: Iterable[Scope] | None, dialect: Dialect) -> str | None:
        """Write the scopes in a stable order."""
        return value if value is None else " ".join(sorted(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> frozenset[Scope] | None:
        """Read the scopes back as a set."""
        return value if value is None else frozenset(Scope(name) for name in value.split())


class Base(DeclarativeBase):
    """Base of all tables. Constraints get names, so that any of them can be migrated later."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {datetime: UtcDateTime, frozenset[Scope]: ScopeSet}  # noqa: RUF012


class Project(Base):
    """A tenant: everything recorded belongs to exactly one project."""

    __tablename__ = "projects"

    id: Mapped[str] = mapped_column(String(16), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), unique=True)
    created_at: Mapped[datetime]
    retention_days: Mapped[int]
    region: Mapped[str] = mapped_column(String(64))

    def __repr__(self) -> str:
        return f"Project(id={self.id!r}, name={self.name!r})"


class ApiKey(Base):
    """An API key, without its secret: only the keyed hash of the whole key is kept."""

    __tablename__ = "api_keys"

    key_id: Mapped[str] = mapped_column(String(12), primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey(Project.id), index=True)
    name: Mapped[str] = mapped_column(String(100))
    secret_hash: Mapped[bytes] = mapped_column(LargeBinary(32))
    scopes: Mapped[frozenset[Scope]]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    project: Mapped[Project] = relationship(lazy="raise")

    def __repr__(self) -> str:
        scopes = " ".join(sorted(self.scopes))
        return f"ApiKey(key_id={self.key_id!r}, project_id={self.project_id!r}, scopes={scopes!r})"


class Setting(Base):
    """A fact about this control plane itself, such as which secret its hashes belong to."""

    __tablename__ = "settings"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str] = mapped_column(String(256))
