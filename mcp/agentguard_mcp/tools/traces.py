"""Tools that list: runs, single operations, and what went wrong."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Final, Literal

from pydantic import Field

from agentguard_mcp.backend import Call
from agentguard_mcp.shapes import Cursor, FilterText, Limit, Timed, Usd
from agentguard_mcp.tool import Result, Tool
from agentguard_mcp.untrusted import clipped
from agentguard_storage.filters import Filter, parse
from agentguard_storage.queries.alerts import AlertKind, AlertRow, Severity, list_alerts
from agentguard_storage.queries.spans import SpanSummary, list_spans
from agentguard_storage.queries.traces import TraceRow, list_traces

__all__ = ["TOOLS"]

_NAME: Final = 200
_MESSAGE: Final = 500
_OF_A_LIST: Final = 8

Order = Literal["started_at", "cost", "duration", "spans", "errors"]


class QueryTraces(Timed):
    """What query_traces takes."""

    filter: FilterText = ""
    order: Annotated[Order, Field(description="Newest first, or the most of this first.")] = (
        "started_at"
    )
    limit: Limit = 20
    cursor: Cursor = None


class TraceWords(Result):
    """What agents have written about a run."""

    name: str
    service: str
    environment: str
    session: str
    user: str
    agents: list[str]
    models: list[str]
    stop_reason: str


class TraceFound(Result):
    """One run."""

    trace_id: str
    started_at: datetime
    duration_ms: float
    spans: int
    errors: int
    llm_calls: int
    tool_calls: int
    tokens: int
    cost_usd: Usd | None = None
    """Left out where no price is known."""
    unpriced_calls: int
    stopped: bool
    untrusted: TraceWords

    @classmethod
    def of(cls, row: TraceRow) -> TraceFound:
        """From a row of the store."""
        return cls(
            trace_id=row.trace_id,
            started_at=row.started_at,
            duration_ms=row.duration_ns / 1e6,
            spans=row.span_count,
            errors=row.error_count,
            llm_calls=row.llm_calls,
            tool_calls=row.tool_calls,
            tokens=row.input_tokens
            + row.cache_read_tokens
            + row.cache_write_tokens
            + row.output_tokens
            + row.reasoning_tokens,
            cost_usd=row.cost,
            unpriced_calls=row.unpriced_calls,
            stopped=bool(row.guard or row.stop_reason),
            untrusted=TraceWords(
                name=clipped(row.root_name, _NAME),
                service=clipped(row.service, _NAME),
                environment=clipped(row.environment, _NAME),
                session=clipped(row.session, _NAME),
                user=clipped(row.user, _NAME),
                agents=_few(row.agents),
                models=_few(row.models),
                stop_reason=clipped(row.stop_reason, _MESSAGE),
            ),
        )


class Search(Timed):
    """What search takes."""

    filter: FilterText
    find: Annotated[
        Literal["spans", "traces"],
        Field(description="Single operations, or whole runs that have one that matches."),
    ] = "spans"
    limit: Limit = 20
    cursor: Cursor = None


class SpanWords(Result):
    """What agents have written about an operation."""

    name: str
    service: str
    agent: str
    tool: str
    model: str
    status_message: str
    stop_reason: str


class SpanFound(Result):
    """One operation."""

    trace_id: str
    span_id: str
    parent_span_id: str
    kind: str
    status: str
    started_at: datetime
    duration_ms: float
    input_tokens: int
    output_tokens: int
    cost_usd: Usd | None = None
    untrusted: SpanWords

    @classmethod
    def of(cls, row: SpanSummary) -> SpanFound:
        """From a row of the store."""
        return cls(
            trace_id=row.trace_id,
            span_id=row.span_id,
            parent_span_id=row.parent_span_id,
            kind=row.kind,
            status=row.status,
            started_at=row.started_at,
            duration_ms=row.duration_ns / 1e6,
            input_tokens=row.input_tokens + row.cache_read_tokens + row.cache_write_tokens,
            output_tokens=row.output_tokens + row.reasoning_tokens,
            cost_usd=row.cost,
            untrusted=SpanWords(
                name=clipped(row.name, _NAME),
                service=clipped(row.service, _NAME),
                agent=clipped(row.agent, _NAME),
                tool=clipped(row.tool, _NAME),
                model=clipped(row.model, _NAME),
                status_message=clipped(row.status_message, _MESSAGE),
                stop_reason=clipped(row.stop_reason, _MESSAGE),
            ),
        )


class Found(Result):
    """What query_traces and search give."""

    traces: list[TraceFound] | None = None
    spans: list[SpanFound] | None = None
    next_cursor: str | None = None


class GetAlerts(Timed):
    """What get_alerts takes."""

    kinds: Annotated[
        list[AlertKind] | None,
        Field(max_length=5, description="Which kinds; all of them where none is given."),
    ] = None
    filter: FilterText = ""
    limit: Limit = 20
    cursor: Cursor = None


class AlertWords(Result):
    """What agents have written about an alert."""

    title: str
    reason: str
    service: str
    agent: str
    call: str


class Alert(Result):
    """What went wrong, once or often."""

    kind: AlertKind
    severity: Severity
    at: datetime
    first_at: datetime
    count: int
    trace_count: int
    trace_id: str
    span_id: str
    guard: str
    untrusted: AlertWords

    @classmethod
    def of(cls, row: AlertRow) -> Alert:
        """From a row of the store."""
        return cls(
            kind=row.kind,
            severity=row.severity,
            at=row.at,
            first_at=row.first_at,
            count=row.count,
            trace_count=row.trace_count,
            trace_id=row.trace_id,
            span_id=row.span_id,
            guard=clipped(row.guard, _NAME),
            untrusted=AlertWords(
                title=clipped(row.title, _NAME),
                reason=clipped(row.reason, _MESSAGE),
                service=clipped(row.service, _NAME),
                agent=clipped(row.agent, _NAME),
                call=clipped(row.call, _MESSAGE),
            ),
        )


class Alerts(Result):
    """What get_alerts gives."""

    alerts: list[Alert]
    next_cursor: str | None = None


async def _query(call: Call, given: QueryTraces) -> Found:
    page = await call.ask(
        list_traces,
        given.range(),
        filter=_parsed(given.filter),
        order=given.order,
        limit=given.limit,
        cursor=given.cursor,
    )
    return Found(traces=[TraceFound.of(row) for row in page.rows], next_cursor=page.next_cursor)


async def _search(call: Call, given: Search) -> Found:
    if given.find == "traces":
        return await _query(call, QueryTraces.model_validate(given.model_dump(exclude={"find"})))
    page = await call.ask(
        list_spans,
        given.range(),
        filter=_parsed(given.filter),
        limit=given.limit,
        cursor=given.cursor,
    )
    return Found(spans=[SpanFound.of(row) for row in page.rows], next_cursor=page.next_cursor)


async def _alerts(call: Call, given: GetAlerts) -> Alerts:
    chosen = {"kinds": tuple(given.kinds)} if given.kinds else {}
    page = await call.ask(
        list_alerts,
        given.range(),
        filter=_parsed(given.filter),
        limit=given.limit,
        cursor=given.cursor,
        **chosen,
    )
    return Alerts(alerts=[Alert.of(row) for row in page.rows], next_cursor=page.next_cursor)


def _parsed(text: str) -> Filter | None:
    return parse(text) if text.strip() else None


def _few(names: list[str]) -> list[str]:
    shown = [clipped(name, _NAME) for name in names[:_OF_A_LIST]]
    return shown if len(names) <= _OF_A_LIST else [*shown, f"{len(names) - _OF_A_LIST} more"]


def _more(cursor: str | None) -> str:
    return " There are more: go on with next_cursor." if cursor else ""


def _counted(found: Found) -> str:
    rows = found.spans if found.spans is not None else found.traces or []
    what = "spans" if found.spans is not None else "traces"
    return f"{len(rows)} {what}.{_more(found.next_cursor)}"


TOOLS: Final = (
    Tool(
        name="query_traces",
        title="List runs",
        description="List runs of agents (traces) with their cost, tokens, errors and stops: the "
        "newest, or those with the most cost, duration, spans or errors.",
        takes=QueryTraces,
        gives=Found,
        run=_query,
        says=_counted,
    ),
    Tool(
        name="search",
        title="Search with the filter language",
        description="Find single operations (spans) or whole runs with a filter; words in quotes "
        "search the text of messages. A mistake in the filter is told with its column and what "
        "may have been meant: correct it and ask again.",
        takes=Search,
        gives=Found,
        run=_search,
        says=_counted,
    ),
    Tool(
        name="get_alerts",
        title="What went wrong",
        description="List what went wrong, the latest first: runs that a guard stopped, "
        "operations that one denied or warned of, and errors, counted where they repeat.",
        takes=GetAlerts,
        gives=Alerts,
        run=_alerts,
        says=lambda found: f"{len(found.alerts)} alerts.{_more(found.next_cursor)}",
    ),
)
