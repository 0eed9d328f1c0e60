"""The price list in ClickHouse: what the ingest views price spans from."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from clickhouse_connect.driver.client import Client

from agentguard.prices import Match, ProviderRule, price_version, provider_rules, rules

_PICO_PER_TOKEN = 1_000_000  # a dollar per million tokens is a million pico-dollars per token
_PICO = 10**12
_BY_TIER = ("input", "cache_read", "cache_write", "output", "reasoning")


def load_prices(client: Client) -> str:
    """Load this release's prices unless they are there; returns their version.

    The version is made current last, so that no span is ever priced from half a list.
    """
    version = price_version()
    loaded = client.command("SELECT argMax(version, loaded_at) FROM price_version")
    if loaded == version:
        return version
    _load(client, "provider_rules", [_provider_row(rule, version) for rule in provider_rules()])
    _load(client, "price_rules", [_price_row(rule.row(), version) for rule in rules()])
    client.insert("price_version", [[version, datetime.now(UTC)]], ["version", "loaded_at"])
    return version


def _load(client: Client, table: str, rows: list[dict[str, object]]) -> None:
    client.insert(table, [list(row.values()) for row in rows], list(rows[0]))


def _match(match: Match) -> dict[str, object]:
    is_regex = match.kind == "regex"
    return {
        "kind": match.kind,
        "pattern": "" if is_regex else match.pattern,
        "regex": match.pattern if is_regex else "",
        "unless": match.unless,
    }


def _provider_row(rule: ProviderRule, version: str) -> dict[str, object]:
    return {
        "version": version,
        "field": rule.field,
        "provider": rule.provider,
        "priority": rule.priority,
        **_match(rule.match),
    }


def _price_row(row: dict[str, Any], version: str) -> dict[str, object]:
    kept = ("provider", "priority", "start_date", "from_second", "until_second", "priced")
    match = Match(row["match_kind"], row["pattern"], row["unless"])
    return {
        "version": version,
        **{name: row[name] for name in kept},
        **_match(match),
        "tier_starts": list(row["tier_starts"]),
        **{name: [int(price * _PICO_PER_TOKEN) for price in row[name]] for name in _BY_TIER},
        "per_request": int(Decimal(row["per_request"]) * _PICO),
    }
