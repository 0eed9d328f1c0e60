"""The telemetry tables in a database of their own, filled and read as the product does it."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from clickhouse_connect.driver.client import Client
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, Span

from agentguard_collector.envelope import Envelope, encode
from agentguard_collector.sink import Sink
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.span_rows import SpanRow
from agentguard_storage.queries.trace import get_trace
from tests.stored_otlp import export_spans

ALWAYS = {"start": datetime.min.replace(tzinfo=UTC), "end": datetime.max.replace(tzinfo=UTC)}
KEPT = ("spans", "traces", "usage_hourly", "blobs", "sources")


@dataclass(frozen=True)
class Store:
    """A migrated database: `dsn` may write, `client` is connected to it."""

    dsn: str
    client: Client

    def insert(
        self,
        requests: Iterable[ExportTraceServiceRequest],
        token: str | None = None,
        project: str = "default",
    ) -> None:
        """Insert export requests as one segment of the collector's, under a token of its own."""
        body = b"".join(part for request in requests for part in _record(request, project))
        asyncio.run(_insert(self.dsn, token or uuid4().hex, body))

    def read_back(self, project: str) -> list[ResourceSpans]:
        """Everything that the project holds, as OTLP."""
        return export_spans(self.client, project, **ALWAYS)

    def reader(self, project: str) -> Reader:
        """What asks about that project."""
        return Reader(self.client, project)

    def spans(self, project: str, trace_id: str) -> list[SpanRow]:
        """The spans of a trace, in order of start; none for one that is not there."""
        trace = get_trace(self.reader(project), trace_id)
        return trace.spans if trace else []

    def rows(self, sql: str, **parameters: Any) -> list[dict[str, Any]]:
        """The rows of a query, as dictionaries."""
        return list(self.client.query(sql, parameters=parameters).named_results())

    def contents(self) -> dict[str, list[tuple[Any, ...]]]:
        """Every row of every table that keeps something, in a fixed order."""
        return {
            table: self.client.query(f"SELECT * FROM {table} ORDER BY ALL").result_rows  # noqa: S608  our own names
            for table in KEPT
        }


def _record(request: ExportTraceServiceRequest, project: str) -> tuple[bytes, bytes]:
    envelope = Envelope(project, time.time_ns(), 30, "eu", os.urandom(16))
    return encode(envelope, request.SerializeToString())


async def _insert(dsn: str, token: str, body: bytes) -> None:
    async with AsyncExitStack() as stack:
        sink = Sink(dsn, timeout=60)
        stack.push_async_callback(sink.close)
        await sink.insert(token, body)


def request_of(*spans: Span, scope: str = "", **resource: str) -> ExportTraceServiceRequest:
    """One export request with these spans, from one scope of one resource."""
    request = ExportTraceServiceRequest()
    of_resource = request.resource_spans.add()
    for key, value in resource.items():
        attribute = of_resource.resource.attributes.add(key=key.replace("_", "."))
        attribute.value.string_value = value
    of_scope = of_resource.scope_spans.add()
    of_scope.scope.name = scope
    of_scope.spans.extend(spans)
    return request


def make_span(attributes: dict[str, object] | None = None, **fields: Any) -> Span:
    """A span with random ids that starts now and takes a millisecond, unless told otherwise."""
    now = time.time_ns()
    made = Span(
        **{
            "trace_id": os.urandom(16),
            "span_id": os.urandom(8),
            "name": "a span",
            "start_time_unix_nano": now,
            "end_time_unix_nano": now + 1_000_000,
        }
        | fields
    )
    for key, value in (attributes or {}).items():
        set_value(made.attributes.add(key=key).value, value)
    return made


def set_value(target: Any, value: object) -> None:
    """Give an OTLP value the type that a Python value has."""
    match value:
        case bool():
            target.bool_value = value
        case int():
            target.int_value = value
        case float():
            target.double_value = value
        case str():
            target.string_value = value
        case bytes():
            target.bytes_value = value
        case dict():
            target.kvlist_value.SetInParent()
            for key, item in value.items():
                set_value(target.kvlist_value.values.add(key=key).value, item)
        case list():
            target.array_value.SetInParent()
            for item in value:
                set_value(target.array_value.values.add(), item)
        case None:
            pass
