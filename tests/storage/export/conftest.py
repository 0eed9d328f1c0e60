"""Two stores side by side: what leaves the one as OTLP/JSON goes into the other."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from agentguard_storage.clickhouse import connect, migrate
from tests.conftest import Engine
from tests.storage.telemetry.telemetry_store import Store


def _store(engine: Engine, database: str) -> Iterator[Store]:
    dsn = engine.credentials.dsn("writer", "127.0.0.1", engine.port, database)
    migrate(dsn)
    with connect(dsn) as client:
        yield Store(dsn, client)


@pytest.fixture(scope="session")
def store(engine: Engine) -> Iterator[Store]:
    """The store that is exported from; keep to a project of your own."""
    yield from _store(engine, "test_export")


@pytest.fixture(scope="session")
def second_store(engine: Engine) -> Iterator[Store]:
    """A store of its own that takes what was exported."""
    yield from _store(engine, "test_import")


@pytest.fixture
def project() -> str:
    """A project of this test alone."""
    return f"prj_{uuid4().hex[:12]}"
