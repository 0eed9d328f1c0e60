"""Bring a control plane's database to this release's schema."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import Connection, inspect, text

from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.errors import ControlPlaneUnavailable

_VERSIONS = Path(__file__).parent / "migrations" / "versions"
LOCK_TIMEOUT_S = 60
# Any number will do, as long as nothing else in the same PostgreSQL database locks it.
_ADVISORY_LOCK = 0x6167_656E_7467_7264
# Alembic's `op` and `context` are process-wide: two upgrades in one process would mix them up.
_one_upgrade = threading.Lock()


def upgrade(url: str) -> None:
    """Apply the migrations that the database at this URL has not seen; all of them or none.

    Idempotent, and safe to run from any number of threads and processes at once.
    Raises ControlPlaneUnavailable, InvalidSetting, and SchemaTooNew when the database was
    written by a newer release.
    """
    database = ControlDatabase(url)
    try:
        with _one_upgrade, _exclusive(database) as connection:
            if _is_current(connection):
                return
            # Most starts find nothing to migrate, and Alembic takes a tenth of a second to load.
            from agentguard_storage.control.revisions import apply_revisions

            apply_revisions(connection)
    finally:
        database.close()


def newest_revision() -> str:
    """The revision that this release's database is at, by the name of its file."""
    return max(file.name[1:5] for file in _VERSIONS.glob("v*.py"))


def _is_current(connection: Connection) -> bool:
    if not inspect(connection).has_table("alembic_version"):
        return False
    applied = connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all()
    return list(applied) == [newest_revision()]


@contextmanager
def _exclusive(database: ControlDatabase) -> Iterator[Connection]:
    if database.is_sqlite:
        with _sqlite_file_lock(database), database.connection() as connection:
            yield connection
        return
    with database.connection() as connection:
        connection.execute(text(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT_S}s'"))
        connection.execute(text("SET LOCAL statement_timeout = 0"))
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _ADVISORY_LOCK})
        yield connection


@contextmanager
def _sqlite_file_lock(database: ControlDatabase) -> Iterator[None]:
    """Hold `<database>.lock` and see to it that the file exists, is private and in WAL mode.

    Changing the journal mode fails at once while others connect, whatever the busy timeout,
    which is why BEGIN IMMEDIATE alone is not enough here.
    """
    path = Path(database.url.database or "")
    try:
        lock = os.open(path.with_name(path.name + ".lock"), os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ControlPlaneUnavailable(
            f"cannot open the control plane's database {path}: {error.strerror}; "
            "check that its folder exists and may be written"
        ) from error
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        path.touch(mode=0o600)
        with database.reachable(), closing(database.engine.raw_connection()) as connection:
            connection.cursor().execute("PRAGMA journal_mode = WAL")
        yield
    finally:
        os.close(lock)
