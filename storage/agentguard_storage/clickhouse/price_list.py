"""The price list in ClickHouse: what the ingest views price spans from."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

from clickhouse_connect.driver.client import Client

from agentguard.prices import Match, PriceRule, ProviderRule, price_version, provider_rules, rules
from agentguard_storage.clickhouse.rows import insert_rows

_PICO_PER_TOKEN = 1_000_000  # a dollar per million tokens is a million pico-dollars per token
_PICO = 10**12
_PROJECTS, _LIST = "0", "1"  # the partitions of `price_rules`
_FIRST = 1 << 29
"""Less than `DATED_PASS` adds, so that a name as it is written goes before another spelling."""
_BY_TIER = ("input", "cache_read", "cache_write", "output", "reasoning")


def load_prices(client: Client, on_cluster: str = "", overrides: Sequence[PriceRule] = ()) -> str:
    """Load this release's prices and the overrides unless they are there; returns their version.

    The new list takes the old one's place at once, so no span is ever priced from half a list.
    Projects' own prices stay as they are.
    """
    version = price_version(overrides)
    loaded = client.command(
        "SELECT min(version) FROM (SELECT version FROM price_rules WHERE project_id = '' LIMIT 1)"
    )
    if loaded == version:
        return version
    _exchange(
        client, "provider_rules", [_provider_row(r, version) for r in provider_rules()], on_cluster
    )
    in_force = (*overrides, *rules())
    _replace(client, _LIST, [_price_row(r.row(), version) for r in in_force])
    return version


def load_project_prices(client: Client, prices: Mapping[str, Sequence[PriceRule]]) -> bool:
    """Put these projects' own prices, by project id, in the place of all there were.

    They come before the list and its overrides. Returns False where they were there already.
    """
    versions = {project: price_version(own) for project, own in prices.items()}
    found = client.query(
        "SELECT DISTINCT project_id, version FROM price_rules WHERE project_id != ''"
    )
    if set(map(tuple, found.result_rows)) == set(versions.items()):
        return False
    rows = [
        _price_row(rule.row() | {"priority": rule.priority - _FIRST}, versions[project], project)
        for project, own in sorted(prices.items())
        for rule in own
    ]
    _replace(client, _PROJECTS, rows)
    return True


def _replace(client: Client, partition: str, rows: list[dict[str, object]]) -> None:
    # A name of its own for each loader: two at once each put a whole list in place. Here alone,
    # also in a cluster: the parts go to the other servers with the partition.
    if not rows:
        client.command(f"ALTER TABLE price_rules DROP PARTITION ID '{partition}'")
        return
    fresh = f"price_rules_{uuid4().hex}"
    client.command(
        f"CREATE TABLE {fresh} AS price_rules ENGINE = MergeTree"
        " PARTITION BY project_id = '' ORDER BY (provider, priority)"
    )
    try:
        insert_rows(client, fresh, rows)
        client.command(f"ALTER TABLE price_rules REPLACE PARTITION ID '{partition}' FROM {fresh}")
    finally:
        client.command(f"DROP TABLE IF EXISTS {fresh} SYNC")


def _exchange(client: Client, table: str, rows: list[dict[str, object]], on_cluster: str) -> None:
    fresh = f"{table}_{uuid4().hex}"
    client.command(f"CREATE TABLE {fresh} {on_cluster} AS {table}")
    try:
        insert_rows(client, fresh, rows)
        client.command(f"EXCHANGE TABLES {fresh} AND {table} {on_cluster}")
    finally:
        client.command(f"DROP TABLE IF EXISTS {fresh} {on_cluster} SYNC")


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


def _price_row(row: dict[str, Any], version: str, project: str = "") -> dict[str, object]:
    kept = ("provider", "priority", "start_date", "from_second", "until_second", "priced")
    match = Match(row["match_kind"], row["pattern"], row["unless"])
    return {
        "project_id": project,
        "version": version,
        **{name: row[name] for name in kept},
        **_match(match),
        "tier_starts": list(row["tier_starts"]),
        **{name: [int(price * _PICO_PER_TOKEN) for price in row[name]] for name in _BY_TIER},
        "per_request": int(Decimal(row["per_request"]) * _PICO),
    }
