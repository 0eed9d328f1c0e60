"""Brings a ClickHouse to this release's schema and price list."""

import logging
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit, urlunsplit

from clickhouse_connect.driver.client import Client

from agentguard.prices import PriceRule
from agentguard_storage.clickhouse.client import connect
from agentguard_storage.clickhouse.price_list import load_prices
from agentguard_storage.clickhouse.rows import insert_rows
from agentguard_storage.clickhouse.schema import migrations

_log = logging.getLogger(__name__)


def migrate(
    dsn: str,
    *,
    cluster: str | None = None,
    overrides: Sequence[PriceRule] = (),
    on_step: Callable[[str], None] = lambda step: None,
) -> list[str]:
    """Create or update the database that `dsn` names; returns the steps that were applied.

    Every statement may be run again, so two of these at once do no harm, and one that was
    interrupted is finished by the next. With `cluster`, tables are replicated and distributed over
    that cluster's shards. `overrides` are prices of one's own (`agentguard.prices.source`); those
    of the last call are in force. Raises `clickhouse_connect.driver.exceptions.ClickHouseError`.
    """
    parts = urlsplit(dsn)
    database = parts.path.strip("/") or "agentguard"
    on = f" ON CLUSTER `{cluster}`" if cluster else ""
    server = connect(urlunsplit(parts._replace(path="/system")))
    try:
        server.command(f"CREATE DATABASE IF NOT EXISTS `{database}`{on}")
    finally:
        server.close()
    client = connect(urlunsplit(parts._replace(path=f"/{database}")))
    try:
        applied = _migrate(client, cluster, on_step)
        load_prices(client, f"ON CLUSTER `{cluster}`" if cluster else "", overrides)
        return applied
    finally:
        client.close()


def _migrate(client: Client, cluster: str | None, on_step: Callable[[str], None]) -> list[str]:
    steps = migrations(cluster)
    for statement in steps[0].statements:
        client.command(statement)
    done = {row[0] for row in client.query("SELECT number FROM schema_migrations").result_rows}
    applied = []
    for step in steps[1:]:
        if step.number in done:
            continue
        on_step(step.name)
        for statement in step.statements:
            client.command(statement)
        insert_rows(client, "schema_migrations", [{"number": step.number, "name": step.name}])
        _log.info("schema migration %d (%s) applied", step.number, step.name)
        applied.append(step.name)
    return applied


def schema_version(client: Client) -> int:
    """Return the number of the last migration applied, 0 for none."""
    return int(client.command("SELECT max(number) FROM schema_migrations"))  # type: ignore[arg-type]
