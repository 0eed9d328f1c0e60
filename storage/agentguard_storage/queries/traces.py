"""Lists of traces, and one trace span by span."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, Literal

from clickhouse_connect.driver.client import Client
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue

from agentguard_storage.queries import stored
from agentguard_storage.queries.hours import IN_HOURS, TimeRange

SpanKind = Literal["llm", "tool", "agent", "workflow", "retrieval", "embedding", "guard", "other"]


@dataclass(frozen=True, slots=True)
class TraceRow:
    """One trace: counts and sums over its spans, money in US dollars."""

    trace_id: str
    root_name: str
    service: str
    environment: str
    started_at: datetime
    duration_ns: int
    span_count: int
    error_count: int
    llm_calls: int
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal | None
    unpriced_calls: int
    models: list[str]
    agents: list[str]
    stop_reason: str


@dataclass(frozen=True, slots=True)
class SpanRow:
    """One span. The five token counts are disjoint; cost is None where no price is known."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: SpanKind
    status: Literal["unset", "ok", "error"]
    status_message: str
    service: str
    start_time_ns: int
    end_time_ns: int
    agent: str
    tool: str
    provider: str
    model: str
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal | None
    cost_source: str
    attributes: dict[str, object]
    events: list[dict[str, object]]


_SUMS = (
    "span_count", "error_count", "llm_calls", "input_tokens", "cache_read_tokens",
    "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost", "unpriced_calls",
)  # fmt: skip

_LIST = f"""
SELECT
    trace_id,
    if(max(t.root_name) != '', max(t.root_name), min(t.first_span).2) AS root_name,
    min(t.first_span).3 AS service,
    max(t.environment) AS environment,
    toUnixTimestamp64Nano(min(t.start_time)) AS start_ns,
    greatest(toUnixTimestamp64Nano(max(t.end_time)) - start_ns, 0) AS duration_ns,
    {", ".join(f"sum(t.{name}) AS {name}" for name in _SUMS)},
    arraySort(groupUniqArrayArray(t.models)) AS models,
    arraySort(groupUniqArrayArray(t.agents)) AS agents,
    max(t.stop_reason) AS stop_reason
FROM traces AS t
WHERE project_id = {{project:String}} AND {IN_HOURS}
    AND (NOT {{searched:Bool}} OR trace_id IN (
        SELECT trace_id FROM blobs
        WHERE project_id = {{project:String}} AND content ILIKE {{pattern:String}}
        UNION ALL
        SELECT trace_id FROM spans
        WHERE project_id = {{project:String}}
            AND {IN_HOURS}
            AND (name ILIKE {{pattern:String}} OR status_message ILIKE {{pattern:String}}
                OR arrayExists(v -> v ILIKE {{pattern:String}}, mapValues(attributes)))))
GROUP BY trace_id
HAVING start_ns BETWEEN {{first_ns:Int64}} AND {{last_ns:Int64}}
    AND ({{service:String}} = '' OR has(groupUniqArrayArray(t.services), {{service:String}}))
    AND ({{status:String}} = '' OR ({{status:String}} = 'error') = (sum(t.error_count) > 0))
ORDER BY start_ns DESC, trace_id
LIMIT {{limit:UInt32}}
"""

# A trace that began before its first hour in the list would be cut in two at the edge.
_MARGIN = timedelta(hours=24)


def list_traces(
    client: Client,
    project_id: str,
    *,
    start: datetime,
    end: datetime,
    service: str | None = None,
    status: Literal["ok", "error"] | None = None,
    text: str | None = None,
    limit: int = 50,
) -> list[TraceRow]:
    """Return the traces that started in `[start, end)`, newest first.

    `status` is "error" for traces with a failed span, "ok" for the others; `text` is looked for,
    whatever its case, in names, errors, attributes and message contents.
    """
    escaped = (text or "").replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    found = client.query(
        _LIST,
        parameters={
            "project": project_id,
            **TimeRange(start, end).parameters(_MARGIN),
            "searched": bool(text),
            "pattern": f"%{escaped}%",
            "service": service or "",
            "status": status or "",
            "limit": limit,
        },
    )
    return [_trace_row(row) for row in found.named_results()]


def _trace_row(row: Mapping[str, Any]) -> TraceRow:
    values = dict(row)
    values["started_at"] = datetime.fromtimestamp(0, UTC) + timedelta(
        microseconds=values.pop("start_ns") // 1000
    )
    if not values["cost"] and values["unpriced_calls"]:
        values["cost"] = None
    return TraceRow(**values)


def find_trace_ids(client: Client, project_id: str, beginning: str, limit: int = 10) -> list[str]:
    """Return up to `limit` ids of traces that begin with these hexadecimal digits."""
    found = client.query(
        "SELECT DISTINCT trace_id FROM traces WHERE project_id = {project:String}"
        " AND startsWith(trace_id, {beginning:String}) ORDER BY trace_id LIMIT {limit:UInt32}",
        parameters={"project": project_id, "beginning": beginning, "limit": limit},
    )
    return [row[0] for row in found.result_rows]


_PROMOTED = (
    "toString(kind) AS kind", "toString(status) AS status", "toString(service) AS service",
    "toString(agent) AS agent", "toString(tool) AS tool", "toString(provider) AS provider",
    "toString(model) AS model", "input_tokens", "cache_read_tokens", "cache_write_tokens",
    "output_tokens", "reasoning_tokens", "cost", "toString(cost_source) AS cost_source",
)  # fmt: skip
_TEXT = frozenset(
    ("trace_id", "span_id", "parent_span_id", "name", "kind", "status", "status_message",
     "service", "agent", "tool", "provider", "model", "cost_source")
)  # fmt: skip


def get_trace(client: Client, project_id: str, trace_id: str) -> list[SpanRow]:
    """Return the spans of a trace by start time, with their attributes and contents."""
    found = client.query(
        f"SELECT {', '.join(stored.SPAN_COLUMNS + _PROMOTED)} FROM spans"
        " WHERE project_id = {project:String} AND trace_id = {trace:String} AND ts_hour IN"
        " (SELECT ts_hour FROM traces WHERE project_id = {project:String}"
        " AND trace_id = {trace:String}) ORDER BY start_time, span_id",
        parameters={"project": project_id, "trace": trace_id},
        query_formats=stored.AS_BYTES,
    )
    rows = list(found.named_results())
    blobs = stored.read_blobs(client, project_id, rows)
    return [_span_row(row, blobs) for row in rows]


def _span_row(row: Mapping[str, Any], blobs: Mapping[tuple[bytes, int], bytes]) -> SpanRow:
    span = stored.span(row, blobs)
    values = {
        field.name: row[field.name].decode() if field.name in _TEXT else row[field.name]
        for field in fields(SpanRow)
        if field.name in row
    }
    return SpanRow(
        **values,
        start_time_ns=span.start_time_unix_nano,
        end_time_ns=span.end_time_unix_nano,
        attributes=plain_attributes(span.attributes),
        events=[
            {
                "name": event.name,
                "time_ns": event.time_unix_nano,
                "attributes": plain_attributes(event.attributes),
            }
            for event in span.events
        ],
    )


def plain_attributes(pairs: Iterable[KeyValue]) -> dict[str, object]:
    """Return OTLP attributes as plain Python values."""
    return {pair.key: plain(pair.value) for pair in pairs}


def plain(value: AnyValue) -> object:
    """Return an OTLP value as a plain Python value; None where it is absent."""
    match value.WhichOneof("value"):
        case None:
            return None
        case "array_value":
            return [plain(item) for item in value.array_value.values]
        case "kvlist_value":
            return plain_attributes(value.kvlist_value.values)
        case kind:
            return getattr(value, kind)
