"""Clients of the embedded ClickHouse, and a database for each test."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import clickhouse_connect
import httpx2
import pytest
from clickhouse_connect.driver.client import Client

from tests.conftest import Engine
from tests.plain_http import NO_TLS


def as_writer(engine: Engine) -> httpx2.Client:
    """A plain HTTP client, signed in as the writer, in no database."""
    auth = ("writer", engine.credentials.writer)
    return httpx2.Client(base_url=engine.url, auth=auth, verify=NO_TLS)


@pytest.fixture
def database(engine: Engine) -> Iterator[str]:
    """A fresh database."""
    name = f"test_{uuid4().hex[:8]}"
    with as_writer(engine) as client:
        client.post("/", content=f"CREATE DATABASE {name}").raise_for_status()
        yield name
        client.post("/", content=f"DROP DATABASE {name}").raise_for_status()


@pytest.fixture
def writer(engine: Engine, database: str) -> Iterator[Client]:
    """The writer's client on the test's database."""
    dsn = engine.credentials.dsn("writer", "127.0.0.1", engine.port, database)
    with clickhouse_connect.get_client(dsn=dsn) as client:
        yield client


@pytest.fixture
def reader(engine: Engine, database: str) -> Iterator[Client]:
    """The reader's client on the test's database."""
    dsn = engine.credentials.dsn("reader", "127.0.0.1", engine.port, database)
    with clickhouse_connect.get_client(dsn=dsn) as client:
        yield client


@pytest.fixture
def http(engine: Engine, database: str) -> Iterator[httpx2.Client]:
    """A plain HTTP client, signed in as the writer, on the test's database."""
    headers = {
        "X-ClickHouse-User": "writer",
        "X-ClickHouse-Key": engine.credentials.writer,
        "X-ClickHouse-Database": database,
        "Accept-Encoding": "identity",
    }
    with httpx2.Client(base_url=engine.url, headers=headers, timeout=30, verify=NO_TLS) as client:
        yield client
