"""Against the real engine: whatever breaks between it and the collector, each span is in once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from agentguard_storage.clickhouse import connect, migrate
from tests.collector.conftest import Collector, Home, wait_until
from tests.collector.faulty_proxy import FaultyProxy, faulty_proxy
from tests.collector.load import Load
from tests.collector.otlp_samples import identity, make_request, make_span
from tests.conftest import Engine

Launch = Callable[..., Collector]


@dataclass
class RealStore:
    """The schema and a project of the test's own, reached through a proxy that can fail."""

    dsn: str
    proxied: str
    proxy: FaultyProxy
    project: str

    def counts(self) -> tuple[int, int]:
        """Return how many spans there are, and how many different ones."""
        query = (
            "SELECT count(), uniqExact(trace_id, span_id) FROM spans"
            " WHERE project_id = {project:String}"
        )
        with connect(self.dsn) as client:
            total, different = client.query(query, {"project": self.project}).result_rows[0]
        return int(total), int(different)


@pytest.fixture(scope="module")
def schema(engine: Engine) -> str:
    """The DSN of a database with the real schema."""
    base, _, _ = engine.writer_dsn.rpartition("/")
    migrate(f"{base}/real_store")
    return f"{base}/real_store"


@pytest.fixture
def real(engine: Engine, schema: str, home: Home) -> Iterator[RealStore]:
    """The real schema, and the project that `launch` has a key of."""
    with faulty_proxy(engine.port) as proxy:
        proxied = schema.replace(f":{engine.port}/", f":{proxy.port}/")
        yield RealStore(schema, proxied, proxy, home.project_id)


def test_what_is_acknowledged_can_be_queried(launch: Launch, real: RealStore) -> None:
    """A batch sent three times is in the store once, soon after it was acknowledged."""
    collector = launch(at=real.proxied)
    batch = make_request(*(make_span() for _ in range(200)))
    for _ in range(3):
        assert collector.post(batch).status_code == 200
    wait_until(lambda: real.counts() == (200, 200))


@pytest.mark.timeout(240)
@pytest.mark.parametrize("fault", ["requests", "responses", "down", "slow"])
def test_a_broken_way_to_the_store_loses_and_doubles_nothing(
    launch: Launch, real: RealStore, fault: str
) -> None:
    """Connections cut within the data, cut before the answer, refused, or slow: once, all of it."""
    collector = launch("--insert-timeout", "2", at=real.proxied)
    first = make_span()
    assert collector.post(make_request(first)).status_code == 200
    wait_until(lambda: collector.metric("agentguard_flushed_spans_total") > 0, 60)
    load = Load(lambda body: collector.post(body).status_code)
    load.acknowledged.add(identity(first))
    load.start(2)
    if fault == "requests":
        real.proxy.cut_requests_at = 15_000
    elif fault == "responses":
        real.proxy.cut_responses_at = 10
    elif fault == "down":
        real.proxy.down = True
    else:
        real.proxy.delay = 4.0
    try:
        wait_until(lambda: collector.metric("agentguard_flush_failures_total") >= 2, 40)
    finally:
        load.finish()
    real.proxy.cut_requests_at = real.proxy.cut_responses_at = None
    real.proxy.down, real.proxy.delay = False, 0.0
    wait_until(lambda: collector.metric("agentguard_wal_bytes") == 0, 60)
    assert load.statuses == {200}
    sent = len(load.acknowledged)
    wait_until(lambda: real.counts() == (sent, sent))
