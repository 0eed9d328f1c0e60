"""Spending shared budgets: what is reserved, settled, given back, and expires.

Every change of a pot happens with its row locked (on SQLite: the database), and adds to what is
there in SQL, on the condition that it fits. What was *spent* under a reservation is always told
as the total so far, so that telling it twice counts once.
"""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Executable, case, delete, select, update
from sqlalchemy.orm import Session

from agentguard.budgets.spend import Limits, Spend
from agentguard_storage.control.budget_models import Budget, Pot, Reservation
from agentguard_storage.control.budgets import MOST, find_budget
from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.errors import (
    InvalidValue,
    ReservationConflict,
    UnknownReservation,
)
from agentguard_storage.control.periods import bounds

__all__ = ["MAXIMUM_TTL_S", "Answer", "Reservations"]

MAXIMUM_TTL_S: Final = 3600.0
KEPT: Final = timedelta(days=7)
"""How long a reservation that ended is remembered, so that late spend still counts."""
_SPENT_CAP: Final = 4 * MOST  # Sums of two limits and this stay within 64 bits.
_NOTHING: Final = Spend()
_UNITS: Final = Spend._fields
_SWEPT_AT_ONCE: Final = 100


@dataclass(frozen=True, slots=True)
class Answer:
    """How a reservation and its pot stand. Times are in seconds from now."""

    state: str
    """`open`, `settled`, `released` or `expired`; `refused` where nothing was reserved."""
    amount: Spend
    """What was granted."""
    expires_in: float
    limits: Limits
    spent: Spend
    """Of the pot, by everybody."""
    held: Spend
    resets_in: float | None


class Reservations:
    """Every method may raise ControlPlaneUnavailable and UnknownBudget."""

    def __init__(
        self, database: ControlDatabase, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._now = now

    def reserve(
        self,
        project_id: str,
        name: str,
        reservation_id: str,
        amount: Spend,
        *,
        minimum: Spend | None = None,
        scope_value: str = "",
        ttl_s: float = 30.0,
        replaces: str | None = None,
        replaced_spent: Spend = _NOTHING,
    ) -> Answer:
        """Hold the amount for `ttl_s` seconds, or until the period ends; all of it, or, with
        `minimum`, as much of it as there is but not less than that.

        `replaces` is a reservation that ends with this: with what was spent under it counted, what
        is left of it is free for this one. Where this one is refused it stays as it was.
        The same again gives the same answer. Raises ReservationConflict for an id that was
        used with other figures, InvalidValue.
        """
        minimum = amount if minimum is None else minimum
        _check(amount, minimum, replaced_spent)
        _check_ttl(ttl_s)
        asked = f"{tuple(amount)} {tuple(minimum)} {replaces or ''} {scope_value}"
        with self._database.writing() as session:
            budget = find_budget(session, project_id, name)
            now = self._now()
            starts_at, ends_at = bounds(budget.every, budget.timezone, now)
            # A project's budget has one pot, whatever a client would like to call another.
            whose = "" if budget.scope == "project" else scope_value
            pot = self._pot(session, budget, whose, starts_at)
            before = _reservation(session, budget, reservation_id)
            if before is not None:
                if before.asked != asked:
                    raise ReservationConflict(
                        f"the reservation {reservation_id!r} was made with other figures"
                    )
                return self._answer(session, before, budget, now)
            _give_back_expired(session, pot, now)
            old = None if replaces is None else _reservation(session, budget, replaces)
            if old is not None:
                if old.pot_id != pot.id:
                    _lock(session, old.pot_id)
                    # Another may have told of the same spend before the lock was ours.
                    session.refresh(old)
                _count(session, old, replaced_spent, now)
            granted = self._grant(session, budget, pot, amount, minimum, old)
            if granted is None:
                session.flush()
                session.refresh(pot)
                return _standing("refused", _NOTHING, 0.0, budget, pot, now)
            if old is not None and old.state == "open":
                _end(session, old, "settled", now)
            expires_at = now + timedelta(seconds=ttl_s)
            made = Reservation(
                budget_id=budget.id,
                id=reservation_id,
                pot_id=pot.id,
                asked=asked,
                state="open",
                calls=granted.calls,
                tokens=granted.tokens,
                pico_usd=granted.pico_usd,
                created_at=now,
                updated_at=now,
                expires_at=expires_at if ends_at is None else min(expires_at, ends_at),
            )
            made.held, made.spent = granted, _NOTHING
            session.add(made)
            return self._answer(session, made, budget, now)

    def settle(
        self,
        project_id: str,
        name: str,
        reservation_id: str,
        spent: Spend,
        *,
        final: bool = True,
        keep: Spend | None = None,
        ttl_s: float | None = None,
    ) -> Answer:
        """Count what was spent under a reservation, in total; also once it expired, or over limits.

        `final` ends it and frees the rest. Otherwise `keep` is the most that stays held, and
        `ttl_s` lets it go on for so many seconds from now. Raises UnknownReservation, InvalidValue.
        """
        _check(spent, keep or _NOTHING)
        _check_ttl(ttl_s or 0.0)
        with self._database.writing() as session:
            budget, reservation, now = self._open(session, project_id, name, reservation_id)
            _count(session, reservation, spent, now)
            if reservation.state == "open":
                if reservation.expires_at <= now:
                    _end(session, reservation, "expired", now)
                elif final:
                    _end(session, reservation, "settled", now)
                else:
                    if keep is not None:
                        _shrink(session, reservation, keep)
                    if ttl_s is not None:
                        _, ends_at = bounds(budget.every, budget.timezone, reservation.created_at)
                        later = now + timedelta(seconds=ttl_s)
                        reservation.expires_at = later if ends_at is None else min(later, ends_at)
            return self._answer(session, reservation, budget, now)

    def release(self, project_id: str, name: str, reservation_id: str) -> Answer:
        """End a reservation; what was not told as spent is free. Raises UnknownReservation."""
        with self._database.writing() as session:
            budget, reservation, now = self._open(session, project_id, name, reservation_id)
            if reservation.state == "open":
                _end(session, reservation, "released", now)
            return self._answer(session, reservation, budget, now)

    def sweep(self) -> int:
        """Give back what has expired; how many reservations that were."""
        now = self._now()
        query = select(Reservation.pot_id).where(
            Reservation.state == "open", Reservation.expires_at <= now
        )
        with self._database.reading() as session:
            pots = list(session.scalars(query.distinct().limit(_SWEPT_AT_ONCE)))
        expired = 0
        for pot_id in pots:
            with self._database.writing() as session:
                pot = _lock(session, pot_id)
                expired += _give_back_expired(session, pot, now) if pot is not None else 0
        return expired

    def prune(self) -> int:
        """Forget the reservations that ended a week ago; how many they were."""
        old = delete(Reservation).where(
            Reservation.state != "open", Reservation.updated_at < self._now() - KEPT
        )
        with self._database.writing() as session:
            return int(session.execute(old).rowcount)  # type: ignore[attr-defined]

    def _open(
        self, session: Session, project_id: str, name: str, reservation_id: str
    ) -> tuple[Budget, Reservation, datetime]:
        """A reservation that exists, with its pot locked. Raises UnknownReservation."""
        budget = find_budget(session, project_id, name)
        found = _reservation(session, budget, reservation_id)
        if found is None:
            raise UnknownReservation(
                f"the budget {name!r} has no reservation {reservation_id!r}: it was never granted, "
                f"or ended more than {KEPT.days} days ago"
            )
        _lock(session, found.pot_id)
        session.refresh(found)
        return budget, found, self._now()

    def _pot(self, session: Session, budget: Budget, value: str, starts_at: datetime) -> Pot:
        """The pot, made where there is none, and locked."""
        row: dict[str, Any] = {
            "id": secrets.token_hex(16),
            "budget_id": budget.id,
            "scope_value": value,
            "starts_at": starts_at,
        }
        row |= {f"{kind}_{unit}": 0 for kind in ("spent", "held") for unit in _UNITS}
        query = select(Pot.id).where(
            Pot.budget_id == budget.id, Pot.scope_value == value, Pot.starts_at == starts_at
        )
        pot_id = session.scalar(query)
        if pot_id is None:
            session.execute(self._insert_unless_there(row))
            pot_id = session.scalar(query)
        pot = _lock(session, pot_id or "")
        assert pot is not None  # noqa: S101 - made above; pots are deleted with their budget alone
        return pot

    def _insert_unless_there(self, row: dict[str, Any]) -> Executable:
        # Each dialect is a tenth of a second of every start, and one of them is enough.
        if self._database.is_sqlite:
            from sqlalchemy.dialects import sqlite

            return sqlite.insert(Pot).values(**row).on_conflict_do_nothing()
        from sqlalchemy.dialects import postgresql

        return postgresql.insert(Pot).values(**row).on_conflict_do_nothing()

    def _grant(
        self,
        session: Session,
        budget: Budget,
        pot: Pot,
        amount: Spend,
        minimum: Spend,
        old: Reservation | None,
    ) -> Spend | None:
        """Hold as much as there is; None where that is less than the minimum."""
        session.flush()
        session.refresh(pot)
        returns = _NOTHING
        if old is not None and old.state == "open" and old.pot_id == pot.id:
            returns = old.held
        granted = []
        for limit, want, least, spent, held, back in zip(
            budget.limits, amount, minimum, pot.spent, pot.held, returns, strict=True
        ):
            # Where there is no limit there is nothing to hold.
            room = 0 if limit is None else limit - spent - held + back
            if limit is not None and room < least:
                return None
            granted.append(0 if limit is None else min(want, max(0, room)))
        change = {
            f"held_{unit}": getattr(Pot, f"held_{unit}") + more
            for unit, more in zip(_UNITS, granted, strict=True)
        }
        fits = [
            getattr(Pot, f"spent_{unit}") + getattr(Pot, f"held_{unit}") + more - back <= limit
            for unit, more, back, limit in zip(_UNITS, granted, returns, budget.limits, strict=True)
            if limit is not None and more > 0
        ]
        done = session.execute(update(Pot).where(Pot.id == pot.id, *fits).values(**change))
        return Spend(*granted) if done.rowcount == 1 else None  # type: ignore[attr-defined]

    def _answer(
        self, session: Session, reservation: Reservation, budget: Budget, now: datetime
    ) -> Answer:
        session.flush()
        pot = session.get_one(Pot, reservation.pot_id, populate_existing=True)
        is_open = reservation.state == "open"
        left = (reservation.expires_at - now).total_seconds() if is_open else 0.0
        return _standing(reservation.state, reservation.amount, max(0.0, left), budget, pot, now)


def _standing(
    state: str, amount: Spend, expires_in: float, budget: Budget, pot: Pot, now: datetime
) -> Answer:
    _, ends_at = bounds(budget.every, budget.timezone, now)
    resets_in = None if ends_at is None else (ends_at - now).total_seconds()
    return Answer(state, amount, expires_in, budget.limits, pot.spent, pot.held, resets_in)


def _lock(session: Session, pot_id: str) -> Pot | None:
    query = select(Pot).where(Pot.id == pot_id).with_for_update()
    return session.scalar(query.execution_options(populate_existing=True))


def _reservation(session: Session, budget: Budget, reservation_id: str) -> Reservation | None:
    return session.get(Reservation, (budget.id, reservation_id), populate_existing=True)


def _count(session: Session, reservation: Reservation, total: Spend, now: datetime) -> None:
    """Move what was spent since it was last told from held to spent."""
    known = reservation.spent
    more = Spend(*(max(0, new - old) for new, old in zip(total, known, strict=True)))
    if more == _NOTHING:
        return
    freed = Spend(*(min(new, held) for new, held in zip(more, reservation.held, strict=True)))
    reservation.spent = known + more
    reservation.updated_at = now
    _let_go(session, reservation, freed, more)


def _shrink(session: Session, reservation: Reservation, keep: Spend) -> None:
    _let_go(
        session,
        reservation,
        Spend(*(max(0, held - most) for held, most in zip(reservation.held, keep, strict=True))),
    )


def _end(session: Session, reservation: Reservation, state: str, now: datetime) -> None:
    _let_go(session, reservation, reservation.held)
    reservation.state = state
    reservation.updated_at = now


def _let_go(
    session: Session, reservation: Reservation, freed: Spend, spent: Spend = _NOTHING
) -> None:
    reservation.held -= freed
    change: dict[str, Any] = {}
    for unit, less, more in zip(_UNITS, freed, spent, strict=True):
        if less:
            change[f"held_{unit}"] = getattr(Pot, f"held_{unit}") - less
        if more:
            column = getattr(Pot, f"spent_{unit}")
            change[f"spent_{unit}"] = case(
                (column > _SPENT_CAP - more, _SPENT_CAP), else_=column + more
            )
    if change:
        session.execute(update(Pot).where(Pot.id == reservation.pot_id).values(**change))


def _give_back_expired(session: Session, pot: Pot, now: datetime) -> int:
    query = select(Reservation).where(
        Reservation.pot_id == pot.id, Reservation.state == "open", Reservation.expires_at <= now
    )
    expired = list(session.scalars(query.execution_options(populate_existing=True)))
    for reservation in expired:
        _end(session, reservation, "expired", now)
    return len(expired)


def _check(*amounts: Spend) -> None:
    for amount in amounts:
        if not all(0 <= count <= MOST for count in amount):
            raise InvalidValue(f"an amount must be 0 to {MOST:.0e} calls, tokens or pico-dollars")


def _check_ttl(ttl_s: float) -> None:
    if not 0 <= ttl_s <= MAXIMUM_TTL_S:
        raise InvalidValue(f"a reservation lasts at most {MAXIMUM_TTL_S:.0f} seconds at a time")
