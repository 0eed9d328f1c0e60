"""A project's own prices: told over HTTP to its keys, and brought to the store by the collector."""

from __future__ import annotations

import time
from decimal import Decimal
from uuid import uuid4

import httpx2
import pytest

from agentguard.prices import PriceTable, Usage
from agentguard.prices.meter import Meter
from agentguard.prices.overrides import checked
from agentguard.prices.project import project_rules
from agentguard_storage.clickhouse import connect, migrate
from tests.collector.conftest import Home, Shared, wait_until
from tests.storage.telemetry.priced_calls import Call
from tests.storage.telemetry.telemetry_store import request_of
from tests.storage.telemetry.test_telemetry_costs import span_of


@pytest.fixture
def ask(shared: Shared):
    """Asks for the prices of the project that a key is of."""

    def ask(project_id: str, *scopes: str, **headers: str) -> httpx2.Response:
        _, key = shared.home.control.keys.mint(project_id, scopes or ["ingest"])
        given = {"Authorization": f"Bearer {key}"} | headers
        return shared.collector.client.get(
            f"{shared.collector.url}/api/v1/prices", headers=given, timeout=40
        )

    return ask


@pytest.fixture
def projects(shared: Shared) -> tuple[str, str]:
    """Two projects of the test's own."""
    made = [shared.home.control.projects.create(f"priced-{uuid4().hex[:8]}") for _ in "ab"]
    return made[0].id, made[1].id


def test_prices_are_told_exactly_and_to_their_project_only(shared, ask, projects):
    """Amounts are texts of decimals; another project's key sees none of them."""
    mine, other = projects
    given = {"model": "GPT-4o", "provider": "openai", "input": "1.5", "output": "6"}
    shared.home.control.prices.set(mine, checked(given | {"cache_read": "0.000001"}))
    answer = ask(mine)
    assert answer.status_code == 200
    (price,) = answer.json()["prices"]
    assert price == {
        "provider": "openai",
        "model": "gpt-4o",
        "match": "exact",
        "from": "1970-01-01",
        "input": "1.5",
        "output": "6",
        "cache_read": "0.000001",
        "per_request": "0",
    }
    assert ask(other).json()["prices"] == []


def test_nothing_is_sent_again_that_the_caller_has(shared, ask, projects):
    """The ETag holds until a price changes."""
    mine, other = projects
    shared.home.control.prices.set(mine, checked({"model": "m", "input": 1, "output": 2}))
    etag = ask(mine).headers["etag"]
    again = ask(mine, **{"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")
    assert ask(other, **{"If-None-Match": etag}).status_code == 200
    shared.home.control.prices.set(mine, checked({"model": "m", "input": 1, "output": 3}))
    assert ask(mine, **{"If-None-Match": etag}).status_code == 200


def test_a_key_for_ingest_is_needed(shared, ask, projects):
    """Without a key 401, with one that may only read 403."""
    assert ask(projects[0], "read").status_code == 403
    url = f"{shared.collector.url}/api/v1/prices"
    assert shared.collector.client.get(url).status_code == 401


def test_sdk_and_store_agree_to_the_last_digit(engine, home: Home):
    """A call costs what its project's guards count; the same of another costs the list's price."""
    database = f"agreed_{uuid4().hex[:8]}"
    dsn = engine.credentials.dsn("writer", "127.0.0.1", engine.port, database)
    migrate(dsn)
    given = {"model": "gpt-4o", "input": "1.234567", "output": "0.000001", "reasoning": "7.7"}
    home.control.prices.set(home.project_id, checked(given | {"per_request": "0.000003"}))
    other = home.control.projects.create("other").id
    _, others_key = home.control.keys.mint(other, ["ingest"])
    collector = home.start(dsn)
    usage = Usage(1_001, 203, 31, 407, 53)
    costs = "SELECT toString(cost) FROM spans WHERE project_id = {p:String}"
    with connect(dsn) as client:
        wait_until(lambda: client.command("SELECT count() FROM price_rules WHERE project_id != ''"))
        for project_id, key in ((home.project_id, home.key), (other, others_key)):
            auth = {"Authorization": f"Bearer {key}"}
            told = collector.client.get(f"{collector.url}/api/v1/prices", headers=auth).json()
            meter = Meter(PriceTable(project_rules(told["prices"])))
            counted = meter.price("openai", "gpt-4o").cost(usage)
            body = request_of(span_of(Call("openai", "gpt-4o", time.time_ns(), usage)))
            assert collector.post(body, **auth).status_code == 200
            here = {"p": project_id}
            wait_until(lambda here=here: client.query(costs, here).result_rows)
            ((cost,),) = client.query(costs, here).result_rows
            assert Decimal(cost).scaleb(12) == counted
            assert bool(told["prices"]) == (project_id == home.project_id)
        client.command(f"DROP DATABASE {database}")
    collector.client.close()
    collector.process.stop()


def test_the_store_has_a_price_seconds_after_it_was_set(engine, home: Home):
    """What is set, changed and removed reaches the price table of a running collector."""
    database = f"synced_{uuid4().hex[:8]}"
    dsn = engine.credentials.dsn("writer", "127.0.0.1", engine.port, database)
    migrate(dsn)
    collector = home.start(dsn)
    query = "SELECT project_id, pattern, output FROM price_rules WHERE project_id != ''"
    prices = home.control.prices
    with connect(dsn) as client:
        for amount in (2, 3):
            prices.set(home.project_id, checked({"model": "m", "input": 1, "output": amount}))
            begun = time.monotonic()
            row = (home.project_id, "m", [amount * 1_000_000])
            wait_until(lambda row=row: client.query(query).result_rows == [row])
            assert time.monotonic() - begun < 10
        prices.remove(home.project_id, "m")
        wait_until(lambda: client.query(query).result_rows == [])
        collector.client.close()
        collector.process.stop()
        client.command(f"DROP DATABASE {database}")
