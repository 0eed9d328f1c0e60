"""The way of a span through all of AgentGuard: sent over OTLP, read back from the store."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property

import httpx2
from clickhouse_connect.driver.client import Client
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from agentguard.cli.services import project_id
from agentguard_storage.clickhouse import connect
from tests.plain_http import NO_TLS
from tests.stack import RunningStack
from tests.stored_otlp import export_spans

_STORED_WITHIN = 60.0
_ALWAYS = {"start": datetime.min.replace(tzinfo=UTC), "end": datetime.max.replace(tzinfo=UTC)}


@dataclass(frozen=True)
class Pipeline:
    """A running stack as a sender and a reader see it."""

    stack: RunningStack

    @property
    def otlp_http(self) -> str:
        """The base URL for OTLP/HTTP."""
        return self.stack.otlp_http

    @property
    def otlp_grpc(self) -> str:
        """Where OTLP/gRPC is, as host:port."""
        return self.stack.otlp_grpc.removeprefix("http://")

    @property
    def api_key(self) -> str:
        """A key to send with."""
        return self.stack.api_key

    @cached_property
    def project(self) -> str:
        """The id of the project that the key belongs to."""
        return project_id(self.stack.data_dir, "default")

    @cached_property
    def client(self) -> Client:
        """A reader's connection to ClickHouse."""
        return connect(self.stack.clickhouse)

    def read_back(self, service: str) -> list[ResourceSpans]:
        """What is stored of that service, once everything acknowledged has been stored."""
        self.wait_until_stored()
        return export_spans(self.client, self.project, service=service, **_ALWAYS)

    def wait_until_stored(self) -> None:
        """Wait until nothing is left in the collector's log; AssertionError after a minute."""
        deadline = time.monotonic() + _STORED_WITHIN
        while self._bytes_in_log():
            assert time.monotonic() < deadline, "acknowledged spans are still in the log"
            time.sleep(0.02)

    def _bytes_in_log(self) -> float:
        answer = httpx2.get(f"{self.otlp_http}/metrics", verify=NO_TLS).raise_for_status()
        metrics = answer.text.splitlines()
        [line] = [line for line in metrics if line.startswith("agentguard_wal_bytes ")]
        return float(line.rpartition(" ")[2])
