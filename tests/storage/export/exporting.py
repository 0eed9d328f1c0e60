"""Exports of a test's project, and what two stores hold of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentguard_collector.otlp import Rejections
from agentguard_collector.otlp_json import to_protobuf
from agentguard_storage.export import export
from agentguard_storage.filters import parse
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.reader import Bounds
from tests.storage.telemetry.telemetry_store import KEPT, Store

ALWAYS = TimeRange(datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
# They follow from when the spans came, not from what they are.
_OF_ARRIVAL = {"received_at", "expires_at"}


def exported(
    store: Store,
    project: str,
    form: str,
    text: str = "",
    when: TimeRange = ALWAYS,
    bounds: Bounds | None = None,
) -> bytes:
    """All of an export, put together."""
    reader = store.reader(project)
    if bounds is not None:
        reader.bounds = bounds
    return b"".join(export(reader, when, format=form, filter=parse(text)))


def sent_on(document: bytes, store: Store, project: str) -> None:
    """Insert OTLP/JSON requests, one a line, as a collector takes them."""
    for line in document.splitlines():
        rejected = Rejections()
        request = ExportTraceServiceRequest.FromString(to_protobuf(line, rejected))
        assert not rejected.count
        store.insert([request], project=project)


def held(store: Store, project: str) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of a project in every table, as merged, without when it came."""
    found = {}
    for table in KEPT:
        merged = "" if table == "spans" else "FINAL"
        # A scope without spans leaves a source that nothing names.
        named = "AND source_id IN (SELECT source_id FROM spans WHERE project_id = {p:String})"
        answer = store.client.query(
            f"SELECT * EXCEPT project_id FROM {table} {merged}"  # noqa: S608  our own names
            f" WHERE project_id = {{p:String}} {named if table == 'sources' else ''}",
            parameters={"p": project},
            query_formats={"String": "bytes"},
        )
        kept = [at for at, name in enumerate(answer.column_names) if name not in _OF_ARRIVAL]
        rows = [tuple(_comparable(row[at]) for at in kept) for row in answer.result_rows]
        found[table] = sorted(rows, key=repr)
    return found


def _comparable(value: Any) -> Any:
    """Maps and lists whose order says nothing, sorted."""
    if isinstance(value, dict):
        return sorted(value.items())
    if isinstance(value, list):
        return list(map(_comparable, value))
    return value
