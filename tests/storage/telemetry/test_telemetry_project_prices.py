"""Prices of a project's own are in force in the store for its spans, and for no other's."""

from uuid import uuid4

import pytest

from agentguard.prices import PriceTable, Usage
from agentguard.prices.meter import Meter
from agentguard.prices.overrides import checked, override_rules
from agentguard_storage.clickhouse import connect, migrate
from agentguard_storage.clickhouse.price_list import load_project_prices
from tests.storage.telemetry.priced_calls import Call, calls
from tests.storage.telemetry.telemetry_store import Store
from tests.storage.telemetry.test_telemetry_price_overrides import AT, stored_costs

USAGE = Usage(1_000, 200, 30, 400, 50)
OWN = override_rules(
    [
        checked(entry)
        for entry in (
            {"model": "gpt-4o", "provider": "openai", "input": "1.5", "output": "6"},
            {"model": "house-model", "input": "0.000001", "output": 1, "per_request": "0.01"},
            {"model": "gpt-4o-mini", "from": "2026-02-25", "input": 7, "output": 7},
            {"model": "claude-sonnet-4-5", "from": "2099-01-01", "input": 9, "output": 9},
            {"model": "llama-2026-01-02", "input": 3, "output": 9, "reasoning": 4},
        )
    ],
    "project",
)
NAMES = [
    ("openai", "gpt-4o"),
    ("azure", "gpt-4o"),
    ("", "openai/GPT-4o"),
    ("acme", "House-Model"),
    ("", "house-model"),
    ("openai", "gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
    ("acme", "llama-20260102"),
]


@pytest.fixture(scope="module")
def own_store(engine):
    """A database of these tests alone."""
    name = f"own_{uuid4().hex[:8]}"
    dsn = engine.credentials.dsn("writer", "127.0.0.1", engine.port, name)
    migrate(dsn)
    with connect(dsn) as client:
        yield Store(dsn, client)
        client.command(f"DROP DATABASE IF EXISTS {name}")


def expected_costs(meter: Meter, asked: list[Call]) -> list[int | None]:
    """What a guard counts, in pico-dollars."""
    found = [meter.price(call.provider, call.model) for call in asked]
    return [
        None if price is None else price.cost(call.usage)
        for price, call in zip(found, asked, strict=True)
    ]


def test_each_project_pays_what_its_guards_count(own_store, project):
    """One project's spans by its own prices, another's by the list, to the last digit."""
    assert load_project_prices(own_store.client, {project: OWN})
    assert not load_project_prices(own_store.client, {project: OWN})
    asked = [Call(provider, model, 0, USAGE) for provider, model in NAMES] + calls(seed=5)
    asked = [call._replace(at=AT * 10**9) for call in asked]
    for whose, rules in ((project, OWN), (f"{project}_b", ())):
        meter = Meter(PriceTable(rules), clock=lambda: AT)
        stored = stored_costs(own_store, asked, whose)
        wanted = expected_costs(meter, asked)
        wrong = [each for each in zip(asked, wanted, stored, strict=True) if each[1] != each[2][0]]
        assert wrong[:5] == []
        assert {version for _, version in stored} <= {meter.table.version, "", PriceTable().version}
    own = expected_costs(Meter(PriceTable(OWN), clock=lambda: AT), asked)
    assert own[0] == own[2] == 1_230 * 1_500_000 + 450 * 6_000_000
    assert own[1] not in (own[0], None)
    assert own[3] == own[4] == 1_230 + 450 * 1_000_000 + 10**10
    assert own[7] == 1_230 * 3_000_000 + 400 * 9_000_000 + 50 * 4_000_000


def test_a_start_keeps_projects_prices(own_store, project):
    """A new list takes the list's place only, and a project's price goes before a file's."""
    load_project_prices(own_store.client, {project: OWN})
    file = override_rules([checked({"model": "house-model", "input": 2, "output": 2})])
    migrate(own_store.dsn, overrides=file)
    asked = [Call("acme", "house-model", AT * 10**9, Usage(input=10))]
    assert stored_costs(own_store, asked, project)[0][0] == 10 + 10**10
    assert stored_costs(own_store, asked, f"{project}_b")[0][0] == 20_000_000
    migrate(own_store.dsn)


def test_what_is_taken_away_is_gone(own_store, project):
    """Without a price of its own, a project pays the list's again."""
    load_project_prices(own_store.client, {project: OWN})
    asked = [Call("openai", "gpt-4o", AT * 10**9, USAGE)]
    before = stored_costs(own_store, asked, project)
    assert load_project_prices(own_store.client, {})
    after = stored_costs(own_store, asked, project)
    listed = expected_costs(Meter(PriceTable(), clock=lambda: AT), asked)
    assert [cost for cost, _ in after] == listed
    assert before != after
