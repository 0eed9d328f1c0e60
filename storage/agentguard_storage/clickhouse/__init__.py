"""Telemetry in ClickHouse: the schema, its migrations, the price list and the way in."""

from agentguard_storage.clickhouse.client import connect
from agentguard_storage.clickhouse.migrate import migrate

__all__ = ["connect", "migrate"]
