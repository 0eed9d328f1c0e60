"""Prices of a project's own, for its guards and for the store."""

import secrets
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Delete, delete, func, select

from agentguard.prices import PriceRule
from agentguard.prices.overrides import Override, override_rules, provider_id
from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.errors import InvalidValue, UnknownPrice, UnknownProject
from agentguard_storage.control.models import Project
from agentguard_storage.control.price_models import PriceEntry, micros
from agentguard_storage.control.projects import checked_text

__all__ = ["MOST_PRICES", "PROJECT", "Prices", "rules_of"]

PROJECT: Final = "project"
"""What `ModelPrice.source` says of such a price."""
MOST_PRICES: Final = 1000
"""Of one project."""


class Prices:
    """The prices of all projects. Every method may raise ControlPlaneUnavailable."""

    def __init__(
        self, database: ControlDatabase, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._now = now

    def set(self, project_id: str, given: Override, by: str = "") -> PriceEntry:
        """Give a model a price, in the place of the one of the same provider, model and day.

        `given` has been checked as an entry of a file is. Raises InvalidValue, UnknownProject.
        """
        if given.match != "exact":
            raise InvalidValue("a project's price is for one model: its name, not a pattern")
        provider = provider_id(given.provider)
        optional = {
            kind: None if (price := getattr(given, kind)) is None else micros(price)
            for kind in ("cache_read", "cache_write", "reasoning")
        }
        entry = PriceEntry(
            id="prc_" + secrets.token_hex(8),
            project_id=project_id,
            provider=provider and checked_text("provider", provider, 100),
            model=checked_text("model", given.model, 256).lower(),
            valid_from=given.start,
            input=micros(given.input),
            output=micros(given.output),
            per_request=micros(given.per_request),
            created_by=by and checked_text("name of who sets it", by, 100),
            created_at=self._now(),
            **optional,
        )
        with self._database.writing() as session:
            # The lock puts writers in a row, so that two of the same price do not meet.
            if session.get(Project, project_id, with_for_update=True) is None:
                raise UnknownProject(f"there is no project with the id {project_id!r}")
            session.execute(
                _of(project_id, provider, entry.model).where(
                    PriceEntry.valid_from == entry.valid_from
                )
            )
            held = select(func.count()).where(PriceEntry.project_id == project_id)
            if (session.scalar(held) or 0) >= MOST_PRICES:
                raise InvalidValue(f"a project may have {MOST_PRICES:,} prices of its own")
            session.add(entry)
        return entry

    def list(self, project_id: str) -> list[PriceEntry]:
        """A project's prices, the one that wins first: of a provider before any, the latest day."""
        query = select(PriceEntry).where(PriceEntry.project_id == project_id)
        with self._database.reading() as session:
            return sorted(session.scalars(query), key=_rank)

    def remove(self, project_id: str, model: str, provider: str = "") -> int:
        """Take a model's prices away, of all days; how many there were. Raises UnknownPrice."""
        name = model.strip().lower()
        with self._database.writing() as session:
            done = session.execute(_of(project_id, provider_id(provider), name))
            removed = int(done.rowcount)  # type: ignore[attr-defined]
        if not removed:
            at = f" at {provider}" if provider else ""
            raise UnknownPrice(f"the project has no price of its own for {model[:256]}{at}")
        return removed

    def rules(self) -> dict[str, tuple[PriceRule, ...]]:
        """The rules of every project that has prices of its own, by its id."""
        found: defaultdict[str, list[PriceEntry]] = defaultdict(list)
        with self._database.reading() as session:
            for entry in session.scalars(select(PriceEntry)):
                found[entry.project_id].append(entry)
        return {project: rules_of(entries) for project, entries in found.items()}

    def mark(self) -> str:
        """Something short that is another after any project's prices changed."""
        count, last = func.count(), func.max(PriceEntry.created_at)
        query = select(count, last, func.max(PriceEntry.id), func.min(PriceEntry.id))
        with self._database.reading() as session:
            return repr(tuple(session.execute(query).one()))


def rules_of(entries: list[PriceEntry]) -> tuple[PriceRule, ...]:
    """One project's rules, the one that wins first."""
    return override_rules([each.override for each in sorted(entries, key=_rank)], PROJECT)


def _rank(entry: PriceEntry) -> tuple[bool, str, str, int]:
    return not entry.provider, entry.provider, entry.model, -entry.valid_from.toordinal()


def _of(project_id: str, provider: str, model: str) -> Delete:
    return delete(PriceEntry).where(
        PriceEntry.project_id == project_id,
        PriceEntry.provider == provider,
        PriceEntry.model == model,
    )
