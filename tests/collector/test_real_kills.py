"""Kills and outages with the real engine and schema: every acknowledged span is stored once."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass

import pytest

from agentguard_storage.clickhouse import connect, migrate
from tests.collector.conftest import Collector, Home, wait_until
from tests.collector.load import Load
from tests.conftest import Engine
from tests.conftest import launch as launch_engine

Launch = Callable[..., Collector]

_SUMS = (
    "sum(input_tokens), sum(cache_read_tokens), sum(cache_write_tokens), sum(output_tokens), "
    "sum(reasoning_tokens)"
)
_OF_PROJECT = "WHERE project_id = {project:String}"
_IDENTITIES = f"SELECT trace_id || span_id FROM spans {_OF_PROJECT}"  # noqa: S608 - our names
_SPAN_SUMS = f"SELECT count(), {_SUMS}, sum(ifNull(cost, 0)) FROM spans {_OF_PROJECT}"  # noqa: S608 - our names
_ROLLED_UP = f"SELECT sum(span_count), {_SUMS}, sum(cost) FROM %s {_OF_PROJECT}"  # noqa: S608 - our names


@dataclass
class MortalEngine:
    """An engine that may be killed, and a database with the real schema in it."""

    engine: Engine

    def __post_init__(self) -> None:
        base, _, _ = self.engine.writer_dsn.rpartition("/")
        self.dsn = f"{base}/kills"
        migrate(self.dsn)

    def restart(self, after: float) -> None:
        """Kill it and start it again on the same port, `after` seconds later."""
        port = self.engine.port
        self.engine.process.kill()
        time.sleep(after)
        self.engine = launch_engine(self.engine.data_dir, "--port", str(port))


@dataclass
class Running:
    """An engine and a collector before it, both of which may be killed, and a test's project."""

    launch: Launch
    mortal: MortalEngine
    project: str

    def __post_init__(self) -> None:
        self.collector = self.launch(at=self.mortal.dsn)
        self.load = Load(lambda body: self.collector.post(body).status_code)

    def restart_collector(self) -> None:
        """Kill the collector and start another."""
        self.collector.process.kill()
        self.collector = self.launch(at=self.mortal.dsn)

    def restart_engine(self, after: float = 0) -> None:
        """Kill the engine and start it again, `after` seconds later."""
        self.mortal.restart(after)

    def settle(self) -> None:
        """End the load and wait until nothing waits in the log."""
        self.load.finish()
        wait_until(lambda: self.collector.metric("agentguard_wal_bytes") == 0, 120)

    def assert_exact(self) -> None:
        """Each acknowledged span is there, none twice, and the sums are the sums of the spans."""
        mine = {"project": self.project}
        with closing(connect(self.mortal.dsn)) as client:
            stored = [row[0] for row in client.query(_IDENTITIES, mine).result_rows]
            (spans,) = client.query(_SPAN_SUMS, mine).result_rows
            rollups = [
                client.query(_ROLLED_UP % table, mine).result_rows
                for table in ("traces", "usage_hourly")
            ]
        assert self.load.acknowledged
        lost = self.load.acknowledged - set(stored)
        assert not lost, f"{len(lost)} of {len(self.load.acknowledged)}; {len(stored)} stored"
        assert len(stored) == len(set(stored))
        assert spans[-1] > 0
        assert rollups == [[spans], [spans]]


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MortalEngine]:
    """One engine for all kills."""
    started = MortalEngine(launch_engine(tmp_path_factory.mktemp("mortal")))
    yield started
    started.engine.process.kill()


@pytest.fixture
def running(launch: Launch, mortal: MortalEngine, home: Home) -> Running:
    """A collector and a project of the test's own."""
    return Running(launch, mortal, home.project_id)


@pytest.mark.parametrize("kills", [3, pytest.param(50, marks=pytest.mark.soak)])
@pytest.mark.timeout(1200)
def test_killed_collectors_leave_the_store_exact(running: Running, kills: int) -> None:
    """kill -9 of the collector at random moments under load."""
    running.load.start()
    chance = random.Random(kills)  # noqa: S311 - any moment will do
    for _ in range(kills):
        time.sleep(chance.uniform(0.05, 1.5))
        running.restart_collector()
    running.settle()
    running.assert_exact()


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.soak)])
@pytest.mark.timeout(1200)
def test_killed_engines_leave_the_store_exact(running: Running, kills: int) -> None:
    """kill -9 of the engine at random moments under load; the collector notices nothing worse."""
    running.load.start()
    chance = random.Random(kills)  # noqa: S311 - any moment will do
    for _ in range(kills):
        time.sleep(chance.uniform(0.05, 2.0))
        running.restart_engine()
        inserted = running.collector.metric("agentguard_flushed_spans_total")
        wait_until(
            lambda was=inserted: running.collector.metric("agentguard_flushed_spans_total") > was,
            60,
        )
    running.settle()
    assert running.load.statuses == {200}
    running.assert_exact()


@pytest.mark.parametrize("seconds", [3, pytest.param(120, marks=pytest.mark.soak)])
@pytest.mark.timeout(600)
def test_an_outage_of_the_store_loses_nothing(running: Running, seconds: float) -> None:
    """While the store is down the log takes every batch, and gives them back when it is up."""
    running.load.start()
    wait_until(lambda: running.collector.metric("agentguard_flushed_spans_total") > 0)
    running.restart_engine(after=seconds)
    running.settle()
    assert running.load.statuses == {200}
    running.assert_exact()
