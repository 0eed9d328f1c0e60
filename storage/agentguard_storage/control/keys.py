"""API keys: minting, listing and revoking them. Verifying is in `verifier`."""

from collections.abc import Iterable
from datetime import UTC, datetime

from sqlalchemy import select

from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.errors import InvalidValue, UnknownKey, UnknownProject
from agentguard_storage.control.keyformat import new_key
from agentguard_storage.control.models import ApiKey, Project, Scope
from agentguard_storage.control.pepper import Pepper
from agentguard_storage.control.projects import checked_text


class ApiKeys:
    """Manages the keys of all projects. Every method may raise ControlPlaneUnavailable."""

    def __init__(self, database: ControlDatabase, pepper: Pepper) -> None:
        self._database = database
        self._pepper = pepper

    def mint(
        self,
        project_id: str,
        scopes: Iterable[str],
        name: str = "key",
        expires_at: datetime | None = None,
    ) -> tuple[ApiKey, str]:
        """Make a key, and return it with its plaintext, which cannot be had again.

        `expires_at` must carry a time zone. Raises UnknownProject, and InvalidValue for a bad
        scope, name or expiry.
        """
        key = new_key()
        record = ApiKey(
            key_id=key.key_id,
            project_id=project_id,
            name=checked_text("key's name", name, 100),
            secret_hash=self._pepper.hash(key.text),
            scopes=_checked_scopes(scopes),
            created_at=datetime.now(UTC),
            expires_at=_checked_expiry(expires_at),
            revoked_at=None,
            last_used_at=None,
        )
        with self._database.writing() as session:
            if session.get(Project, project_id) is None:
                raise UnknownProject(f"there is no project with the id {project_id!r}")
            session.add(record)
        return record, key.text

    def list(self, project_id: str | None = None) -> list[ApiKey]:
        """The keys of a project (or all), oldest first, revoked and expired ones included."""
        query = select(ApiKey).order_by(ApiKey.created_at, ApiKey.key_id)
        if project_id is not None:
            query = query.where(ApiKey.project_id == project_id)
        with self._database.reading() as session:
            return list(session.scalars(query))

    def revoke(self, key_id: str) -> ApiKey:
        """Refuse this key from now on; verifiers notice within their bound.

        Revoking twice keeps the first time. Raises UnknownKey.
        """
        with self._database.writing() as session:
            key = session.get(ApiKey, key_id)
            if key is None:
                raise UnknownKey(
                    f"there is no API key with the id {key_id!r}; the id is the part between "
                    "agk_ and the next underscore"
                )
            key.revoked_at = key.revoked_at or datetime.now(UTC)
        return key


def _checked_scopes(scopes: Iterable[str]) -> frozenset[Scope]:
    names = {scopes} if isinstance(scopes, str) else set(scopes)
    bad = names - set(Scope)
    if bad or not names:
        raise InvalidValue(
            f"the scopes {', '.join(map(repr, sorted(bad))) or '(none)'} cannot be given to a key; "
            f"choose one or more of: {', '.join(Scope)}"
        )
    return frozenset(Scope(name) for name in names)


def _checked_expiry(expires_at: datetime | None) -> datetime | None:
    if expires_at is None:
        return None
    if expires_at.tzinfo is None:
        raise InvalidValue("the expiry must carry a time zone, for example 2027-01-31T00:00:00Z")
    if expires_at <= datetime.now(UTC):
        raise InvalidValue(f"the expiry {expires_at.isoformat()} is in the past")
    return expires_at.astimezone(UTC)
