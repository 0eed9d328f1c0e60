"""Links to single traces, for people who have no key.

    create ──> token, shown once ──> resolve(token) ──> Share, until it expires or is revoked

A token is the share's id and a secret. As with API keys, the share is found by the id and the
secret compared by its keyed hash, so that neither the database nor the time that an answer takes
helps anybody to guess one.
"""

import hmac
import re
import secrets
import string
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, func, or_, select
from sqlalchemy.orm import Session

from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.errors import InvalidValue, UnknownProject, UnknownShare
from agentguard_storage.control.models import Project
from agentguard_storage.control.pepper import Pepper
from agentguard_storage.control.projects import checked_text
from agentguard_storage.control.share_models import Share
from agentguard_storage.control.trace_ids import checked_trace_id

__all__ = ["LASTS", "LONGEST", "MOST_SHARES", "SHORTEST", "Shares", "share_path"]

LASTS: Final = timedelta(days=7)
"""How long a link is good for, unless something else is said."""
SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=90)
MOST_SHARES: Final = 1_000
"""Links of one project that are good at the same time, and ended ones that are remembered."""

_PREFIX: Final = "shr_"
_ID: Final = re.compile(rf"{_PREFIX}[0-9a-f]{{12}}", re.ASCII)
_TOKEN: Final = re.compile(r"([0-9a-f]{12})[0-9A-Za-z]{32}", re.ASCII)
_ALPHABET: Final = string.digits + string.ascii_letters
_NO_HASH: Final = bytes(32)


def share_path(token: str) -> str:
    """The path of a link, below the collector's address."""
    return f"/s/{token}"


class Shares:
    """The shares of all projects. Every method may raise ControlPlaneUnavailable."""

    def __init__(
        self,
        database: ControlDatabase,
        pepper: Pepper,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._database = database
        self._pepper = pepper
        self._now = now

    def create(
        self, project_id: str, trace_id: str, *, expires_in: timedelta = LASTS, by: str = ""
    ) -> tuple[Share, str]:
        """Share a trace; returns the share with its token, which cannot be had again.

        `by` is the id of the key that asks. Whether there is such a trace is not known here.
        Raises InvalidValue, UnknownProject.
        """
        if not SHORTEST <= expires_in <= LONGEST:
            raise InvalidValue(f"a link lasts from a minute to {LONGEST.days} days")
        number = secrets.token_hex(6)
        token = number + "".join(secrets.choice(_ALPHABET) for _ in range(32))
        now = self._now()
        share = Share(
            id=_PREFIX + number,
            project_id=project_id,
            trace_id=checked_trace_id(trace_id),
            token_hash=self._hash(token),
            created_by=by and checked_text("id of the key", by, 100),
            created_at=now,
            expires_at=now + expires_in,
            revoked_at=None,
        )
        with self._database.writing() as session:
            # The lock puts writers in a row, so that no two make the last one.
            if session.get(Project, project_id, with_for_update=True) is None:
                raise UnknownProject(f"there is no project with the id {project_id!r}")
            self._forget(session, project_id)
            held = select(func.count()).where(Share.project_id == project_id, self._good())
            if (session.scalar(held) or 0) >= MOST_SHARES:
                raise InvalidValue(
                    f"a project may have {MOST_SHARES:,} links that are good; revoke some"
                )
            session.add(share)
        return share, token

    def list(self, project_id: str, trace_id: str | None = None) -> list[Share]:
        """The links of a project (or of one trace) that are good now, newest first."""
        query = select(Share).where(Share.project_id == project_id, self._good())
        if trace_id is not None:
            query = query.where(Share.trace_id == checked_trace_id(trace_id))
        with self._database.reading() as session:
            return list(session.scalars(query.order_by(Share.created_at.desc(), Share.id)))

    def revoke(self, project_id: str, share_id: str) -> Share:
        """End a link now; again keeps the first time. Raises UnknownShare."""
        with self._database.writing() as session:
            share = session.get(Share, share_id) if _ID.fullmatch(share_id) else None
            if share is None or share.project_id != project_id:
                raise UnknownShare(f"there is no share {share_id[:64]!r} in this project")
            share.revoked_at = share.revoked_at or self._now()
        return share

    def resolve(self, token: str) -> Share | None:
        """The share of a token while it is good, with its project and trace; else None."""
        shape = _TOKEN.fullmatch(token)
        if shape is None:
            return None
        with self._database.reading() as session:
            share = session.get(Share, _PREFIX + shape[1])
        # Compared also where there is none: how long it takes does not tell which ids exist.
        expected = _NO_HASH if share is None else share.token_hash
        matches = hmac.compare_digest(expected, self._hash(token))
        if share is None or not matches or share.revoked_at is not None:
            return None
        return share if self._now() < share.expires_at else None

    def _hash(self, token: str) -> bytes:
        return self._pepper.hash(f"share {token}")

    def _good(self) -> ColumnElement[bool]:
        return and_(Share.revoked_at.is_(None), Share.expires_at > self._now())

    def _forget(self, session: Session, project_id: str) -> None:
        """Remove the oldest of those that ended: making and revoking without end fills no disk."""
        ended = or_(Share.revoked_at.is_not(None), Share.expires_at <= self._now())
        old = session.scalars(
            select(Share.id)
            .where(Share.project_id == project_id, ended)
            .order_by(Share.created_at.desc(), Share.id)
            .offset(MOST_SHARES - 1)
        ).all()
        if old:
            session.execute(delete(Share).where(Share.id.in_(old)))
