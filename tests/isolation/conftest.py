"""The two worlds, made once for all tests of isolation."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conftest import Engine
from tests.isolation.worlds import Worlds, both_worlds


@pytest.fixture(scope="session")
def worlds(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worlds]:
    """A store that two projects share, and one that ours has alone."""
    with both_worlds(engine, tmp_path_factory.mktemp("isolation")) as made:
        yield made
