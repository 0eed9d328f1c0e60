"""What the verifier knows about a key, and how it asks the database for it."""

from dataclasses import dataclass, field

from sqlalchemy import select

from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.models import ApiKey, Project, Scope


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling, and what the collector must know to store what they send."""

    project_id: str
    project_name: str
    key_id: str
    key_name: str
    scopes: frozenset[Scope]
    retention_days: int
    region: str

    def allows(self, *scopes: str) -> bool:
        """Whether one of these scopes was given, or comes with `admin`."""
        return Scope.ADMIN in self.scopes or not self.scopes.isdisjoint(scopes)


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """One key as it was in the database. Times are unix seconds."""

    principal: Principal
    secret_hash: bytes = field(repr=False)
    revoked: bool
    expires_at: float | None
    last_used_at: float | None


def load_record(database: ControlDatabase, key_id: str) -> KeyRecord | None:
    """Read one key and its project; None when there is no such key.

    Raises ControlPlaneUnavailable.
    """
    query = select(ApiKey, Project).join(ApiKey.project).where(ApiKey.key_id == key_id)
    with database.reading() as session:
        row = session.execute(query).one_or_none()
    if row is None:
        return None
    key, project = row
    return KeyRecord(
        Principal(
            project_id=project.id,
            project_name=project.name,
            key_id=key.key_id,
            key_name=key.name,
            scopes=key.scopes,
            retention_days=project.retention_days,
            region=project.region,
        ),
        key.secret_hash,
        key.revoked_at is not None,
        key.expires_at.timestamp() if key.expires_at else None,
        key.last_used_at.timestamp() if key.last_used_at else None,
    )
