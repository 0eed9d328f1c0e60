"""Bring a control plane's database to this release's schema."""

import fcntl
import os
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.errors import ControlPlaneUnavailable, SchemaTooNew

MIGRATIONS = Path(__file__).parent / "migrations"
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
            _migrate(connection)
    finally:
        database.close()


def alembic_config(connection: Connection) -> Config:
    """What Alembic's commands need to work on this connection, in its open transaction."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def _migrate(connection: Connection) -> None:
    config = alembic_config(connection)
    script = ScriptDirectory.from_config(config)
    known = {revision.revision for revision in script.walk_revisions()}
    applied = set(MigrationContext.configure(connection).get_current_heads())
    if not applied <= known:
        raise SchemaTooNew(
            f"the control plane's database is at revision {', '.join(sorted(applied - known))}, "
            "which this release does not know: it was written by a newer one; upgrade AgentGuard"
        )
    if applied != set(script.get_heads()):
        command.upgrade(config, "head")


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
