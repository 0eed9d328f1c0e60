"""Spans for filters to find, in two projects that share trace ids."""

from __future__ import annotations

from uuid import uuid4

import pytest

from tests.storage.filters.filter_data import Filled, fill
from tests.storage.telemetry.conftest import store
from tests.storage.telemetry.telemetry_store import Store

__all__ = ["store"]


@pytest.fixture(scope="session")
def filled(store: Store) -> Filled:
    """About 300 spans in a project, as many others in another."""
    return fill(store)


@pytest.fixture
def project() -> str:
    """A project of this test alone."""
    return f"prj_{uuid4().hex[:12]}"
