"""Prices of one's own are in force in the store too, and a call costs what a guard counts."""

from uuid import uuid4

import pytest

from agentguard.cli.prepare import prepare_telemetry
from agentguard.errors import ConfigurationError
from agentguard.prices import PriceTable, Usage
from agentguard.prices.meter import Meter
from agentguard.prices.source import override_rules
from agentguard_storage.clickhouse import connect, migrate
from tests.storage.telemetry.priced_calls import Call, calls
from tests.storage.telemetry.telemetry_store import Store, request_of
from tests.storage.telemetry.test_telemetry_costs import span_of

AT = 1_772_000_123
"""Unix seconds: when all the calls are made."""
OVERRIDES = """
[[price]]
provider = "azure.ai.openai"
model = "gpt-4o"
input = 1.1
output = 2
cache_read = "0.000001"

[[price]]
provider = "vllm"
match = "prefix"
model = "Our-"
input = 0
output = 0.5
per_request = 0.001

[[price]]
match = "regex"
model = "^house-(s|m|l)$"
input = 3
output = 9
reasoning = 4

[[price]]
model = "gpt-4o-mini"
from = 2026-02-25
input = 7
output = 7

[[price]]
model = "claude-sonnet-4-5"
from = 2099-01-01
input = 9
output = 9
"""
USAGE = Usage(1_000, 200, 30, 400, 50)
OWN = [
    ("azure", "gpt-4o"),
    ("Azure", "GPT-4o"),
    ("openai", "gpt-4o"),
    ("vllm", "our-llama"),
    ("VLLM", "their-llama"),
    ("", "house-m"),
    ("openai", "house-s"),
    ("acme", "House-L"),
    ("acme", "house-xl"),
    ("openai", "gpt-4o-mini"),
    ("acme", "gpt-4o-mini"),
    ("", "openai/gpt-4o-mini"),
    ("anthropic", "claude-sonnet-4-5"),
]


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """The overrides, read as the command line reads them."""
    path = tmp_path_factory.mktemp("prices") / "prices.toml"
    path.write_text(OVERRIDES)
    return override_rules(path)


@pytest.fixture(scope="module")
def overridden(engine, rules):
    """A database with prices of its own, gone after the tests."""
    name = f"priced_{uuid4().hex[:8]}"
    dsn = engine.credentials.dsn("writer", "127.0.0.1", engine.port, name)
    migrate(dsn, overrides=rules)
    with connect(dsn) as client:
        yield Store(dsn, client)
        client.command(f"DROP DATABASE IF EXISTS {name}")


def stored_costs(store: Store, asked: list[Call], project: str) -> list[tuple[int | None, str]]:
    """Pico-dollars and price version of each call, as the store has them."""
    spans = [span_of(call) for call in asked]
    store.insert([request_of(*spans)], project=project)
    found = {
        row["span_id"]: (None if row["cost"] is None else int(row["cost"].scaleb(12)), row["v"])
        for row in store.rows(
            "SELECT span_id, cost, price_version::String AS v FROM spans"
            " WHERE project_id = {p:String}",
            p=project,
        )
    }
    return [found[span.span_id.hex()] for span in spans]


def test_a_call_costs_the_same_by_guard_and_store(overridden, rules, project):
    """Whatever its name, and with prices of one's own, both count the same pico-dollars."""
    asked = [Call(provider, model, 0, USAGE) for provider, model in OWN] + calls(seed=3)
    asked = [call._replace(at=AT * 10**9) for call in asked]
    meter = Meter(PriceTable(rules), clock=lambda: AT)
    expected: list[tuple[int | None, str]] = []
    for call in asked:
        price = meter.price(call.provider, call.model)
        found = (None, "") if price is None else (price.cost(call.usage), meter.table.version)
        expected.append(found)
    stored = stored_costs(overridden, asked, project)
    wrong = [
        (call, want, have)
        for call, want, have in zip(asked, expected, stored, strict=True)
        if want != have
    ]
    assert wrong[:5] == []
    assert sum(cost is not None for cost, _ in expected) > 300
    own = [cost for cost, _ in expected[: len(OWN)]]
    assert own[3] == 450 * 500_000 + 10**9
    assert own[5] == own[6] == own[7] == 1_230 * 3_000_000 + 400 * 9_000_000 + 50 * 4_000_000
    assert own[8] is None


def test_the_last_start_says_which_prices_are_in_force(overridden, rules, project):
    """A start without the file takes its prices out again, and one with it puts them back."""
    asked = [Call("acme", "house-m", AT * 10**9, USAGE)]
    migrate(overridden.dsn)
    assert stored_costs(overridden, asked, project) == [(None, "")]
    migrate(overridden.dsn, overrides=rules)
    again = stored_costs(overridden, asked, f"{project}_again")
    assert again[0][0] is not None


def test_the_command_line_takes_the_file_of_the_variable(
    overridden, rules, project, tmp_path, monkeypatch
):
    """What guards read from AGENTGUARD_PRICES, `agentguard up` gives to the store."""
    path = tmp_path / "prices.toml"
    path.write_text('[[price]]\nmodel = "up-model"\ninput = 2\noutput = 2\n')
    monkeypatch.setenv("AGENTGUARD_PRICES", str(path))
    prepare_telemetry(overridden.dsn)
    asked = [Call("acme", "up-model", AT * 10**9, Usage(input=10))]
    assert stored_costs(overridden, asked, project)[0][0] == 20_000_000
    path.write_text('[[price]]\nmodel = "up-model"\n')
    with pytest.raises(ConfigurationError, match=r"prices\.toml: price: entry 1, input"):
        prepare_telemetry(overridden.dsn)
    migrate(overridden.dsn, overrides=rules)
