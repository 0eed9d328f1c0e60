"""Connections to the control plane's database: SQLite by default, PostgreSQL by URL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from agentguard_storage.control.errors import (
    ControlPlaneUnavailable,
    InvalidSetting,
    InvalidValue,
)

POSTGRES = "postgresql+psycopg"
CONNECT_TIMEOUT_S = 5
BUSY_TIMEOUT_MS = 5000
STATEMENT_TIMEOUT_MS = 5000
_DRIVERS = {
    "sqlite": "sqlite",
    "sqlite+pysqlite": "sqlite",
    "postgres": POSTGRES,
    "postgresql": POSTGRES,
    POSTGRES: POSTGRES,
}


def normalise_url(text: str) -> URL:
    """Turn what people write (`postgres://`, `sqlite:///file`) into the URL that is connected to.

    Raises InvalidSetting; the text may hold a password and is never part of the message.
    """
    try:
        url = make_url(text)
        driver = _DRIVERS[url.drivername]
    except (ArgumentError, ValueError, KeyError):
        raise InvalidSetting(
            "the control plane's URL is not usable: expected sqlite:///path/to/control.db or "
            "postgresql://user:password@host:5432/database"
        ) from None
    if driver == "sqlite" and url.database in (None, "", ":memory:"):
        raise InvalidSetting("the control plane needs a file: use sqlite:///path/to/control.db")
    return url.set(drivername=driver)


class ControlDatabase:
    """A pool of connections, and the two kinds of transaction that the control plane knows.

    Opens no connection until it is used. Thread-safe; not to be shared across a fork.
    Raises InvalidSetting for a URL that cannot be used.
    """

    def __init__(self, url: str) -> None:
        self.url = normalise_url(url)
        self.engine = _create_engine(self.url)
        # SQLite cannot always promote a reader to a writer: a writer says so when it begins.
        self._writer = self.engine.execution_options(sqlite_begin="BEGIN IMMEDIATE")

    def __repr__(self) -> str:
        return f"ControlDatabase({self.url.render_as_string()!r})"

    @property
    def is_sqlite(self) -> bool:
        """Whether this is SQLite (else it is PostgreSQL)."""
        return self.url.drivername == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[Session]:
        """A transaction for reading. Raises ControlPlaneUnavailable."""
        with self.reachable(), Session(self.engine, expire_on_commit=False) as session:
            yield session

    @contextmanager
    def writing(self) -> Iterator[Session]:
        """A transaction that commits at the end of the block. Raises ControlPlaneUnavailable."""
        begin = sessionmaker(self._writer, expire_on_commit=False).begin
        with self.reachable(), begin() as session:
            yield session

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """A bare connection in a writing transaction, for migrations."""
        with self.reachable(), self._writer.begin() as connection:
            yield connection

    @contextmanager
    def reachable(self) -> Iterator[None]:
        """Say in one error, without the password, that the database does not answer."""
        try:
            yield
        except IntegrityError:
            raise
        except DataError as error:
            raise InvalidValue("the database cannot store or look up such a value") from error
        except (DBAPIError, PoolTimeout, sqlite3.Error) as error:
            cause = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
            raise ControlPlaneUnavailable(
                f"the control plane's database {self.url.render_as_string()} does not answer: "
                f"{cause}; check that it exists, is running and may be written"
            ) from error

    def close(self) -> None:
        """Close all connections."""
        self.engine.dispose()


def _create_engine(url: URL) -> Engine:
    options: dict[str, Any] = {"hide_parameters": True, "pool_timeout": CONNECT_TIMEOUT_S}
    if url.drivername == POSTGRES:
        # Of a host that vanished, TCP alone would keep us waiting for a quarter of an hour.
        waits = {"connect_timeout": CONNECT_TIMEOUT_S, "tcp_user_timeout": STATEMENT_TIMEOUT_MS}
        options["connect_args"] = {
            name: wait for name, wait in waits.items() if name not in url.query
        }
        options["pool_pre_ping"] = True
    try:
        engine = create_engine(url, **options)
    except ImportError as error:
        raise InvalidSetting(
            "PostgreSQL needs its driver: pip install 'agentguard[postgres]'"
        ) from error
    if url.drivername == "sqlite":
        event.listen(engine, "connect", _configure_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        event.listen(engine, "connect", _configure_postgres)
    return engine


def _configure_sqlite(connection: Any, _record: object) -> None:
    # Python's own transaction handling would leave reads and DDL outside of transactions.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


def _configure_postgres(connection: Any, _record: object) -> None:
    connection.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_MS}")
    connection.commit()
