"""The telemetry tables for tests: one database for all, a project for each."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from agentguard_storage.clickhouse import connect, migrate
from tests.conftest import Engine
from tests.storage.telemetry.telemetry_store import Store


@pytest.fixture(scope="session")
def store(engine: Engine) -> Iterator[Store]:
    """The schema and the prices of this release; keep to a project of your own."""
    dsn = engine.credentials.dsn("writer", "127.0.0.1", engine.port, "test_store")
    migrate(dsn)
    with connect(dsn) as client:
        yield Store(dsn, client)


@pytest.fixture
def project() -> str:
    """A project of this test alone."""
    return f"prj_{uuid4().hex[:12]}"
