"""The migrations of the control plane."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, select, text

from agentguard_storage.control import ControlDatabase, upgrade
from agentguard_storage.control.errors import (
    ControlPlaneUnavailable,
    InvalidSetting,
    SchemaTooNew,
)
from agentguard_storage.control.models import Base, Setting
from agentguard_storage.control.revisions import alembic_config
from agentguard_storage.control.upgrade import newest_revision

TABLES = {
    "alembic_version",
    "annotations",
    "api_keys",
    "budget_pots",
    "budget_reservations",
    "budgets",
    "price_overrides",
    "projects",
    "settings",
    "shares",
    "stops",
}
# Forks, so that eight processes cost one import; they start when the gate closes.
EIGHT_UPGRADERS = """
import os, sys
import agentguard_storage.control.revisions
from agentguard_storage.control import upgrade
waiting, gate = os.pipe()
children = []
for _ in range(8):
    children.append(os.fork())
    if not children[-1]:
        os.close(gate)
        os.read(waiting, 1)
        upgrade(sys.argv[1])
        os._exit(0)
os.close(gate)
sys.exit(any([os.waitpid(child, 0)[1] for child in children]))
"""


@pytest.fixture
def own_db(control_url) -> Iterator[ControlDatabase]:
    """An upgraded database that a test may leave as it likes."""
    upgrade(control_url)
    database = ControlDatabase(control_url)
    yield database
    database.close()


def tables(url: str) -> set[str]:
    """The tables of a database, after checking that it has exactly one revision."""
    database = ControlDatabase(url)
    with database.connection() as connection:
        versions = connection.execute(text("SELECT version_num FROM alembic_version")).all()
        assert len(versions) == 1
        found = set(inspect(connection).get_table_names())
    database.close()
    return found


def test_upgrade_creates_the_schema_and_may_be_repeated(control_url):
    """Upgrading makes all tables; doing it again changes nothing."""
    upgrade(control_url)
    upgrade(control_url)
    assert tables(control_url) == TABLES


def test_models_and_migrations_agree(own_db):
    """A database made by the migrations is the one that the ORM classes describe."""
    with own_db.connection() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, Base.metadata) == []


def test_the_newest_revision_is_known_without_alembic(own_db):
    """The name of the last migration's file is its revision, and there is one last one."""
    with own_db.connection() as connection:
        script = ScriptDirectory.from_config(alembic_config(connection))
    assert script.get_heads() == [newest_revision()]


def test_an_upgraded_database_opens_without_alembic(control_sqlite):
    """Nobody waits for Alembic to load where there is nothing to migrate."""
    upgrade(control_sqlite)
    code = (
        "import sys; from agentguard_storage.control import upgrade;"
        "upgrade(sys.argv[1]); sys.exit('alembic' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, control_sqlite]).returncode == 0


def test_eight_threads_upgrade_at_once(control_url):
    """Eight threads upgrading one empty database all succeed."""
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(upgrade, [control_url] * 8))
    assert tables(control_url) == TABLES


def test_eight_processes_upgrade_at_once(control_url):
    """Eight processes upgrading one empty database at the same moment all succeed."""
    done = subprocess.run(
        [sys.executable, "-c", EIGHT_UPGRADERS, control_url],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert tables(control_url) == TABLES


def test_a_failing_migration_leaves_nothing_behind(control_url):
    """An upgrade that fails half-way is rolled back, and the next one succeeds."""
    database = ControlDatabase(control_url)
    with database.connection() as connection:
        connection.execute(text("CREATE TABLE settings (name TEXT)"))
    with pytest.raises(ControlPlaneUnavailable, match="settings"):
        upgrade(control_url)
    with database.connection() as connection:
        assert inspect(connection).get_table_names() == ["settings"]
        connection.execute(text("DROP TABLE settings"))
    database.close()
    upgrade(control_url)
    assert tables(control_url) == TABLES


def test_migrations_can_be_undone(own_db):
    """Downgrading to nothing removes every table."""
    with own_db.connection() as connection:
        command.downgrade(alembic_config(connection), "base")
    with own_db.connection() as connection:
        assert inspect(connection).get_table_names() == ["alembic_version"]


def test_a_newer_database_is_left_alone(own_db, control_url):
    """A database of a newer release is refused by name of its revision, not downgraded."""
    with own_db.connection() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(SchemaTooNew, match=r"9999.*newer"):
        upgrade(control_url)


def test_sqlite_is_private_and_in_wal_mode_with_foreign_keys(control_sqlite, tmp_path):
    """The SQLite file is readable by its owner alone, in WAL mode, and keeps foreign keys."""
    upgrade(control_sqlite)
    assert (tmp_path / "control.db").stat().st_mode & 0o777 == 0o600
    database = ControlDatabase(control_sqlite)
    with database.connection() as connection:
        pragmas = [
            connection.execute(text(f"PRAGMA {name}")).scalar()
            for name in ("journal_mode", "foreign_keys", "busy_timeout")
        ]
    database.close()
    assert pragmas == ["wal", 1, 5000]


def test_writers_wait_for_each_other(own_db):
    """Many threads that read and then write in one transaction lose no update."""
    with own_db.connection() as connection:
        connection.execute(text("INSERT INTO settings VALUES ('count', '0')"))

    def increment(_: int) -> None:
        with own_db.writing() as session:
            query = select(Setting).with_for_update()  # SQLite locks when it begins
            count = int(session.scalars(query).one().value)
            session.execute(text("UPDATE settings SET value = :count"), {"count": str(count + 1)})

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(increment, range(64)))
    with own_db.reading() as session:
        assert session.execute(text("SELECT value FROM settings")).scalar_one() == "64"


@pytest.mark.parametrize(
    "url",
    ["", "nonsense", "mysql://root:hunter2@host/db", "sqlite://", "postgresql://u:hunter2@h:x/db"],
)
def test_unusable_urls_are_refused_without_their_password(url):
    """A URL that cannot be used is refused with an example of one that can."""
    with pytest.raises(InvalidSetting) as refused:
        ControlDatabase(url)
    assert "sqlite:///" in str(refused.value)
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_spelling_of_postgresql_works(control_postgres, scheme):
    """The usual PostgreSQL URL schemes all reach the database."""
    rest = control_postgres.partition("://")[2]
    upgrade(f"{scheme}://{rest}")
    assert tables(f"{scheme}://{rest}") == TABLES


def test_an_unreachable_server_is_named_without_its_password():
    """When nothing listens, the error says where and hides the password."""
    with pytest.raises(ControlPlaneUnavailable) as refused:
        upgrade("postgresql://someone:hunter2@127.0.0.1:1/agentguard")
    assert "127.0.0.1:1" in str(refused.value)
    assert "hunter2" not in str(refused.value)


def test_a_missing_folder_and_a_file_that_is_no_database_are_told(tmp_path: Path):
    """SQLite's own failures come with the path."""
    with pytest.raises(ControlPlaneUnavailable, match=r"missing/control\.db"):
        upgrade(f"sqlite:///{tmp_path}/missing/control.db")
    (tmp_path / "letter.db").write_text("Dear database, " * 100)
    with pytest.raises(ControlPlaneUnavailable, match=r"letter\.db.*not a database"):
        upgrade(f"sqlite:///{tmp_path}/letter.db")
