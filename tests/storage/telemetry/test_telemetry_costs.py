"""Costs are computed at ingest, equal to the SDK's to the last digit."""

from decimal import Decimal

import pytest

from agentguard.prices import PriceTable, cost, rules
from tests.storage.telemetry.priced_calls import calls
from tests.storage.telemetry.telemetry_store import make_span, request_of

TABLE = PriceTable()
SUMMED = (
    "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "cost",
)  # fmt: skip


def span_of(call):
    """The call as the GenAI conventions report it: the parts inside the wholes."""
    usage = call.usage
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": call.provider,
        "gen_ai.request.model": call.model,
        "gen_ai.usage.input_tokens": usage.total_input,
        "gen_ai.usage.cache_read.input_tokens": usage.cache_read,
        "gen_ai.usage.cache_creation.input_tokens": usage.cache_write,
        "gen_ai.usage.output_tokens": usage.output + usage.reasoning,
        "gen_ai.usage.reasoning.output_tokens": usage.reasoning,
    }
    return make_span(attributes, start_time_unix_nano=call.at, end_time_unix_nano=call.at)


def test_every_call_costs_what_the_price_table_says(store, project):
    """Whatever way a name leads to a price, the store finds the one that the SDK finds."""
    asked = calls(seed=2)
    spans = [span_of(call) for call in asked]
    store.insert([request_of(*spans)], project=project)
    stored = {
        row["span_id"]: (row["cost"], row["cost_source"], row["price_version"])
        for row in store.rows(
            "SELECT span_id, cost, cost_source::String AS cost_source, price_version::String AS"
            " price_version FROM spans WHERE project_id = {p:String}",
            p=project,
        )
    }
    wrong = []
    priced = 0
    for call, span in zip(asked, spans, strict=True):
        price = TABLE.lookup(call.provider, call.model, call.at)
        expected = (None, "unpriced", "")
        if price:
            priced += 1
            expected = (cost(call.usage, price), "price table", TABLE.version)
        if stored[span.span_id.hex()] != expected:
            wrong.append((call, expected, stored[span.span_id.hex()]))
    assert wrong[:5] == []
    assert priced > 500
    assert len(asked) - priced > 20


def test_the_calls_reach_every_kind_of_rule():
    """The comparison would notice a kind of rule that is evaluated wrongly."""
    asked = calls(seed=2)
    by_price = {id(rule.price): rule for rule in rules()}
    reached = [TABLE.lookup(call.provider, call.model, call.at) for call in asked]
    found = [by_price[id(price)] for price in reached if price]
    assert {r.match.kind for r in found} == {"exact", "prefix", "suffix", "contains", "regex"}
    assert any(r.price.tier_starts for r in found)
    assert any(r.start_date.year > 1970 for r in found)
    assert any(r.until_second - r.from_second != 86_400 for r in found)


KNOWN = {"gen_ai.request.model": "gpt-4o", "gen_ai.provider.name": "openai"}
UNKNOWN = {"gen_ai.request.model": "nobody-knows"}
USED = {"gen_ai.operation.name": "chat", "gen_ai.usage.input_tokens": 1_000_000}
LISTED = Decimal("2.5")


@pytest.fixture(scope="module")
def costs(store):
    """The cost and its source, by the attributes that are said about it."""
    said = {
        "listed": KNOWN,
        "stated": KNOWN | {"agentguard.cost.usd": 0.125},
        "stated as nothing": KNOWN | {"agentguard.cost.usd": 0},
        "reported, listed": KNOWN | {"llm.cost.total": 0.5},
        "reported, unknown": UNKNOWN | {"llm.cost.total": 0.5},
        "tiny": UNKNOWN | {"gen_ai.usage.cost": 1e-7},
        "all": KNOWN | {"agentguard.cost.usd": 0.125, "llm.cost.total": 0.5},
        "unknown": UNKNOWN,
        "no number": UNKNOWN | {"llm.cost.total": float("nan")},
        "endless": UNKNOWN | {"agentguard.cost.usd": float("inf")},
        "beyond any money": UNKNOWN | {"agentguard.cost.usd": 1e300},
        "text": UNKNOWN | {"agentguard.cost.usd": "a lot"},
        "an agent's": KNOWN | {"gen_ai.operation.name": "invoke_agent", "llm.cost.total": 0.5},
    }
    spans = {name: make_span(USED | attributes) for name, attributes in said.items()}
    store.insert([request_of(*spans.values())], project="costs")
    rows = {n: store.spans("costs", s.trace_id.hex())[0] for n, s in spans.items()}
    return {name: (row.cost, row.cost_source) for name, row in rows.items()}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("listed", (LISTED, "price table")),
        ("stated", (Decimal("0.125"), "stated")),
        ("stated as nothing", (Decimal(0), "stated")),
        ("reported, listed", (LISTED, "price table")),
        ("reported, unknown", (Decimal("0.5"), "reported")),
        ("tiny", (Decimal("1e-7"), "reported")),
        ("all", (Decimal("0.125"), "stated")),
        ("unknown", (None, "unpriced")),
        ("no number", (None, "unpriced")),
        ("endless", (None, "unpriced")),
        ("beyond any money", (None, "unpriced")),
        ("text", (None, "unpriced")),
        ("an agent's", (None, "")),
    ],
)
def test_what_a_call_cost_is_taken_from_the_best_source(costs, said, expected):
    """Stated by us, else from the price list, else as the sender reported it, else unknown."""
    assert costs[said] == expected


@pytest.mark.parametrize("table", ["traces", "usage_hourly"])
def test_sums_are_the_sums_of_the_spans(store, costs, table):
    """Every aggregate agrees with the rows it was made from, project by project, hour by hour."""
    assert costs
    counted = {
        "spans": "count(), countIf(status = 'error'), countIf(cost_source = 'unpriced')",
        table: "sum(span_count), sum(error_count), sum(unpriced_calls)",
    }
    summed = ", ".join(f"sum(ifNull({name}, 0))" for name in SUMMED)
    by = "project_id, ts_hour"
    found = [
        store.client.query(
            f"SELECT {by}, {counts}, {summed} FROM {source} GROUP BY {by} ORDER BY {by}"  # noqa: S608  our own names
        ).result_rows
        for source, counts in counted.items()
    ]
    assert found[0] == found[1]
    assert found[0]
