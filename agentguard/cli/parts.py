"""The processes that `agentguard up` starts: their command lines and their addresses."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from agentguard.cli.child import Child
from agentguard.cli.errors import server_extra

__all__ = ["Options", "collector", "engine", "engine_dsns", "reachable"]

DATABASE = "agentguard"
_Ready = dict[str, Any]


@dataclass(frozen=True)
class Options:
    """What `agentguard up` was asked for; port 0 is any free one."""

    data_dir: Path
    host: str = "127.0.0.1"
    otlp_http_port: int = 4318
    otlp_grpc_port: int = 4317
    clickhouse_port: int = 8123
    workers: int = 1
    clickhouse: str | None = None
    control: str | None = None

    def __post_init__(self) -> None:
        """Name the database in a ClickHouse URL that names none, so that all parts agree."""
        if self.clickhouse is not None:
            parts = urlsplit(self.clickhouse)
            database = parts.path.strip("/") or DATABASE
            named = urlunsplit(parts._replace(path=f"/{database}"))
            object.__setattr__(self, "clickhouse", named)


def engine(options: Options) -> Child:
    """The embedded ClickHouse, on loopback."""

    def argv(last: _Ready) -> list[str]:
        port = last.get("port", options.clickhouse_port)
        folder = options.data_dir / "clickhouse"
        return [
            "agentguard_storage.embedded",
            f"--data-dir={folder}",
            f"--port={port}",
            "--exit-with-parent",
        ]

    return Child("engine", "the ClickHouse engine", argv, _environment())


def engine_dsns(ready: Mapping[str, Any]) -> tuple[str, str]:
    """The writer's and the reader's DSN of an engine that is ready."""
    with server_extra():
        from agentguard_storage.embedded.credentials import Credentials
    known = Credentials.load(Path(ready["credentials"]))
    port = int(ready["port"])
    return known.dsn("writer", "127.0.0.1", port), known.dsn("reader", "127.0.0.1", port)


def collector(options: Options, *, clickhouse: str, reader: str, control: str) -> Child:
    """The collector with all its workers."""

    def argv(last: _Ready) -> list[str]:
        return [
            "agentguard_collector",
            f"--data-dir={options.data_dir}",
            f"--host={options.host}",
            f"--http-port={last.get('http_port', options.otlp_http_port)}",
            f"--grpc-port={last.get('grpc_port', options.otlp_grpc_port)}",
            f"--workers={options.workers}",
            "--exit-with-parent",
            *(["--store-reads-files"] if options.clickhouse is None else []),
        ]

    urls = {
        "AGENTGUARD_CLICKHOUSE_URL": clickhouse,
        "AGENTGUARD_CLICKHOUSE_READER_URL": reader,
        "AGENTGUARD_CONTROL_URL": control,
    }
    return Child("collectors", "the collector", argv, _environment() | urls)


def _environment() -> dict[str, str]:
    # What the user's agent sends by OTEL_* must not make our own processes send as well.
    return {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}


def reachable(host: str, port: int) -> str:
    """The base URL under which this machine reaches a server that listens on `host`."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - it is what the user chose
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
