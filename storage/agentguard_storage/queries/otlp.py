"""Spans back out as OTLP, as they came in."""

from datetime import datetime

from clickhouse_connect.driver.client import Client
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans

from agentguard_storage.queries import stored
from agentguard_storage.queries.hours import IN_HOURS, STARTED, TimeRange


def export_spans(
    client: Client,
    project_id: str,
    *,
    start: datetime,
    end: datetime,
    service: str | None = None,
    limit: int = 100_000,
) -> list[ResourceSpans]:
    """Return the spans that started in `[start, end)`, as OTLP, one entry per resource and scope.

    Everything a span carried is there as it was sent; only the order of attributes and of spans
    may differ. At most `limit` spans.
    """
    found = client.query(
        f"SELECT {', '.join(stored.SPAN_COLUMNS)} FROM spans"
        " WHERE project_id = {project:String}"
        f" AND {IN_HOURS} AND {STARTED}"
        " AND ({service:String} = '' OR service = {service:String})"
        " ORDER BY source_id, start_time LIMIT {limit:UInt32}",
        parameters={
            "project": project_id,
            **TimeRange(start, end).parameters(),
            "service": service or "",
            "limit": limit,
        },
        query_formats=stored.AS_BYTES,
    )
    rows = list(found.named_results())
    blobs = stored.read_blobs(client, project_id, rows)
    sources = stored.read_sources(client, project_id, (row["source_id"] for row in rows))
    made: dict[int, ResourceSpans] = {}
    for row in rows:
        number = row["source_id"]
        if number not in made:
            source = sources[number]
            made[number] = ResourceSpans(
                resource=stored.resource(source), schema_url=source["resource_schema_url"].decode()
            )
            made[number].scope_spans.add(
                scope=stored.scope(source), schema_url=source["scope_schema_url"].decode()
            )
        made[number].scope_spans[0].spans.append(stored.span(row, blobs))
    return list(made.values())
