"""The Collector's configurations hang together and fit what AgentGuard takes.

Names and settings are those of the Collector's own documentation, release 0.144 and later.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from agentguard_collector.compression import ENCODINGS
from agentguard_collector.settings import Settings
from tests.deploy.otelcol_words import FOLDER

CONFIGS = ("config.yaml", "clickhouse.yaml")
SECTIONS = ("receivers", "processors", "exporters")
KNOWN = {
    "receivers": {"otlp"},
    "processors": {"memory_limiter"},
    "exporters": {"otlp_http", "clickhouse"},
    "extensions": {"file_storage", "health_check"},
}
QUEUE = {
    "enabled", "storage", "sizer", "queue_size", "num_consumers", "block_on_overflow", "batch",
}  # fmt: skip
EXPORTER = {
    "otlp_http/agentguard": {"endpoint", "headers", "compression", "timeout"},
    "clickhouse": {
        "endpoint", "username", "password", "database", "traces_table_name", "create_schema", "ttl",
        "compress", "async_insert", "timeout",
    },
}  # fmt: skip
LIMIT = Settings(Path(), "", "").max_body_bytes
every_config = pytest.mark.parametrize("name", CONFIGS)


def loaded(name: str) -> dict[str, Any]:
    """A configuration as the Collector would read it."""
    found: dict[str, Any] = yaml.safe_load((FOLDER / name).read_text(encoding="utf-8"))
    return found


@every_config
def test_every_component_is_defined_and_used(name: str) -> None:
    """What a pipeline names is there, of a known type, and nothing is there for nothing."""
    config = loaded(name)
    service = config["service"]
    [pipeline] = service["pipelines"].values()
    used = {section: set(pipeline[section]) for section in SECTIONS}
    used["extensions"] = set(service["extensions"])
    assert used == {section: set(config[section]) for section in KNOWN}
    for section, names in used.items():
        assert {one.partition("/")[0] for one in names} <= KNOWN[section]


@every_config
def test_an_exporter_waits_on_disk_and_never_gives_up(name: str) -> None:
    """Queue, batches and retries are set as the Collector's own checks demand."""
    config = loaded(name)
    [(kind, exporter)] = config["exporters"].items()
    assert set(exporter) == EXPORTER[kind] | {"retry_on_failure", "sending_queue"}
    queue, batch = exporter["sending_queue"], exporter["sending_queue"]["batch"]
    assert set(queue) == QUEUE
    assert queue["storage"] in config["extensions"]
    assert queue["sizer"] in ("bytes", "items", "requests")
    assert batch["min_size"] <= batch["max_size"] <= min(queue["queue_size"], LIMIT)
    assert exporter["retry_on_failure"]["max_elapsed_time"] == "0s"


@every_config
def test_secrets_come_from_the_environment(name: str) -> None:
    """Addresses and secrets are variables, which the file and the page both explain."""
    text = (FOLDER / name).read_text(encoding="utf-8")
    [exporter] = loaded(name)["exporters"].values()
    told = [exporter.get(key, "${env:X}") for key in ("endpoint", "username", "password")]
    told += exporter.get("headers", {}).values()
    assert all(re.fullmatch(r"(?:Bearer )?\$\{env:[A-Z_]+\}", value) for value in told)
    head = text.partition("receivers:")[0]
    assert all(variable in head for variable in re.findall(r"\$\{env:([A-Z_]+)\}", text))


@every_config
def test_what_is_received_can_be_sent_on(name: str) -> None:
    """The receivers take as much as AgentGuard's collector does."""
    protocols = loaded(name)["receivers"]["otlp"]["protocols"]
    assert protocols["grpc"]["max_recv_msg_size_mib"] << 20 == LIMIT
    assert protocols["http"]["max_request_body_size"] == LIMIT


def test_agentguard_speaks_what_the_exporter_sends() -> None:
    """The compression is one that is understood, and the key is where it is looked for."""
    exporter = loaded("config.yaml")["exporters"]["otlp_http/agentguard"]
    assert exporter["compression"] in ENCODINGS
    assert list(exporter["headers"]) == ["Authorization"]


def test_the_table_is_the_one_that_the_views_read() -> None:
    """Database and table of the exporter are those in the SQL, which is in the page."""
    exporter = loaded("clickhouse.yaml")["exporters"]["clickhouse"]
    table = f"{exporter['database']}.{exporter['traces_table_name']}"
    assert table in (FOLDER / "views" / "1_said.sql").read_text(encoding="utf-8")
    page = (FOLDER / "README.md").read_text(encoding="utf-8")
    for file in ("config.yaml", "clickhouse.yaml", "views/*.sql", "prices.sql"):
        assert file in page
        assert list(FOLDER.glob(file))
