"""The API is what its OpenAPI document says: schemathesis, all checks, on a running collector."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from agentguard.budgets.spend import Limits
from agentguard_storage.clickhouse import connect, migrate
from agentguard_storage.control import Scope
from tests.collector.conftest import Collector, make_home
from tests.conftest import Engine
from tests.isolation.tenants import OURS
from tests.storage.telemetry.telemetry_store import Store

_SETTINGS: Final = Path(__file__).parents[2] / "schemathesis.toml"
_WITHOUT_LIMITS: Final = (
    *("--reads-per-minute", "1000000"),
    *("--control-calls-per-minute", "1000000"),
)


@dataclass(frozen=True)
class Served:
    """A collector with recorded runs in its store, and a key that may do everything."""

    collector: Collector
    key: str

    def check(self, *arguments: str, timeout: float) -> str:
        """Run schemathesis; what it found, if it found something."""
        done = subprocess.run(
            [
                *(sys.executable, "-m", "schemathesis.cli", f"--config-file={_SETTINGS}", "run"),
                f"{self.collector.url}/api/v1/openapi.json",
                *("--header", f"Authorization: Bearer {self.key}"),
                *("--checks", "all", "--suppress-health-check", "all", "--no-color"),
                *arguments,
            ],
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return "" if done.returncode == 0 else done.stdout + done.stderr


@pytest.fixture(scope="module")
def served(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A collector on the real engine."""
    home = make_home(tmp_path_factory.mktemp("schema") / "data")
    dsn = engine.credentials.dsn("writer", "127.0.0.1", engine.port, "api_schema")
    migrate(dsn)
    with connect(dsn) as client:
        for batch in OURS.batches():
            Store(dsn, client).insert(batch, project=home.project_id)
    home.control.budgets.put(home.project_id, "team", Limits(None, None, 10**12))
    _, key = home.mint(*Scope)
    collector = home.start(dsn, *_WITHOUT_LIMITS)
    yield Served(collector, key)
    collector.client.close()
    collector.process.stop()
    home.control.close()


@pytest.mark.timeout(240)
def test_the_api_is_as_documented(served: Served):
    """Its own examples are answered as the document says."""
    found = served.check("--phases", "examples", "--seed", "1", timeout=200)
    assert not found, found


@pytest.mark.soak
@pytest.mark.timeout(1_800)
def test_the_api_is_as_documented_at_length(served: Served):
    """The same with many examples, and sequences of requests that use one another's answers."""
    found = served.check("--max-examples", "100", "--max-time", "1200", timeout=1_700)
    assert not found, found
