"""Projects: who the recorded telemetry belongs to."""

import secrets
import string
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.errors import DuplicateProject, InvalidValue, UnknownProject
from agentguard_storage.control.models import DEFAULT_RETENTION_DAYS, Project

DEFAULT_PROJECT = "default"
MAXIMUM_RETENTION_DAYS = 3650
_ID_ALPHABET = string.ascii_lowercase + "234567"


def checked_text(what: str, value: str, maximum: int) -> str:
    """A label without the blanks around it; raises InvalidValue when it cannot be stored."""
    value = value.strip()
    if not 0 < len(value) <= maximum or not value.isprintable():
        raise InvalidValue(f"the {what} must be 1 to {maximum} printable characters on one line")
    return value


class Projects:
    """Creates, finds and renames projects. Every method may raise ControlPlaneUnavailable."""

    def __init__(self, database: ControlDatabase) -> None:
        self._database = database

    def create(
        self, name: str, *, retention_days: int = DEFAULT_RETENTION_DAYS, region: str = ""
    ) -> Project:
        """Add a project. Raises InvalidValue, DuplicateProject."""
        if not 1 <= retention_days <= MAXIMUM_RETENTION_DAYS:
            raise InvalidValue(f"retention must be 1 to {MAXIMUM_RETENTION_DAYS} days")
        project = Project(
            id="prj_" + "".join(secrets.choice(_ID_ALPHABET) for _ in range(12)),
            name=checked_text("project's name", name, 100),
            created_at=datetime.now(UTC),
            retention_days=retention_days,
            region=region and checked_text("region", region, 64),
        )
        with self._database.writing() as session:
            session.add(project)
            _flush_unique(session, project.name)
        return project

    def get(self, name_or_id: str) -> Project:
        """Find a project by its id, or else by its name. Raises UnknownProject."""
        with self._database.reading() as session:
            return _find(session, name_or_id)

    def list(self) -> list[Project]:
        """All projects, oldest first."""
        with self._database.reading() as session:
            return list(session.scalars(select(Project).order_by(Project.created_at, Project.id)))

    def rename(self, name_or_id: str, new_name: str) -> Project:
        """Give a project another name; its id, keys and data stay.

        Raises UnknownProject, InvalidValue, DuplicateProject.
        """
        with self._database.writing() as session:
            project = _find(session, name_or_id)
            project.name = checked_text("project's name", new_name, 100)
            _flush_unique(session, project.name)
        return project

    def ensure_default(self) -> Project:
        """The project named `default`, made when there is none; safe to call from many at once."""
        try:
            return self.get(DEFAULT_PROJECT)
        except UnknownProject:
            pass
        try:
            return self.create(DEFAULT_PROJECT)
        except DuplicateProject:
            return self.get(DEFAULT_PROJECT)


def _find(session: Session, name_or_id: str) -> Project:
    by_name = select(Project).where(Project.name == name_or_id)
    project = session.get(Project, name_or_id) or session.scalar(by_name)
    if project is None:
        raise UnknownProject(
            f"there is no project {name_or_id!r}; list them with: agentguard projects"
        )
    return project


def _flush_unique(session: Session, name: str) -> None:
    try:
        session.flush()
    except IntegrityError as error:
        raise DuplicateProject(f"there is already a project named {name!r}") from error
