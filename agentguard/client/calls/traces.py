"""Calls about traces, spans, sessions and alerts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from agentguard.client.arguments import Time, names, path, query, reading
from agentguard.client.call import Call, PageCall
from agentguard.client.models import (
    Alert,
    Alerts,
    Difference,
    Graph,
    Session,
    Sessions,
    Span,
    Spans,
    SpanWithMessages,
    StopExplanation,
    Trace,
    TraceDetail,
    Traces,
)

__all__ = [
    "alerts",
    "compare_traces",
    "explain_stop",
    "session",
    "sessions",
    "span",
    "spans",
    "trace",
    "trace_graph",
    "traces",
]

Order = Literal["started_at", "cost", "duration", "spans", "errors"]


def traces(
    filter: str = "",  # noqa: A002 - the parameter's name everywhere
    *,
    start: Time = "24h",
    end: Time = "now",
    order: Order = "started_at",
    page_size: int = 100,
) -> PageCall[Traces, Trace]:
    """Traces that began within the range and have a span that the filter means."""
    given = query(filter=filter, start=start, end=end, order=order, limit=page_size)
    return PageCall(
        Call("GET", "/traces", reading(Traces), given),
        lambda page: page.traces,
        lambda page: page.next_cursor,
    )


def trace(trace_id: str, *, contents: bool = True) -> Call[TraceDetail]:
    """A trace with its spans, with or without what they carried. Raises NotFound."""
    given = query(contents=contents)
    return Call("GET", path("traces", trace_id), reading(TraceDetail), given)


def span(trace_id: str, span_id: str) -> Call[SpanWithMessages]:
    """A span with all that it carried, and what was said in it. Raises NotFound."""
    return Call("GET", path("traces", trace_id, "spans", span_id), reading(SpanWithMessages))


def trace_graph(trace_id: str, *, kinds: str | Iterable[str] | None = None) -> Call[Graph]:
    """Who called whom in a trace, how often, and at what cost. Raises NotFound."""
    return Call("GET", path("traces", trace_id, "graph"), reading(Graph), query(kind=names(kinds)))


def explain_stop(trace_id: str) -> Call[StopExplanation]:
    """Why a guard stopped a run, and what it did before. Raises NotFound."""
    return Call("GET", path("traces", trace_id, "stop"), reading(StopExplanation))


def compare_traces(first: str, second: str) -> Call[Difference]:
    """What the second trace did otherwise than the first. Raises NotFound."""
    return Call("GET", path("traces", first, "compare", second), reading(Difference))


def spans(
    filter: str = "",  # noqa: A002
    *,
    start: Time = "24h",
    end: Time = "now",
    page_size: int = 100,
) -> PageCall[Spans, Span]:
    """Spans that started within the range and match the filter, the newest first."""
    given = query(filter=filter, start=start, end=end, limit=page_size)
    return PageCall(
        Call("GET", "/spans", reading(Spans), given),
        lambda page: page.spans,
        lambda page: page.next_cursor,
    )


def sessions(
    filter: str = "",  # noqa: A002
    *,
    start: Time = "24h",
    end: Time = "now",
    page_size: int = 100,
) -> PageCall[Sessions, Session]:
    """Sessions with a trace that began within the range, the latest used first."""
    given = query(filter=filter, start=start, end=end, limit=page_size)
    return PageCall(
        Call("GET", "/sessions", reading(Sessions), given),
        lambda page: page.sessions,
        lambda page: page.next_cursor,
    )


def session(session_id: str, *, start: Time = "24h", end: Time = "now") -> Call[Session]:
    """One session, by what its sender called it. Raises NotFound."""
    given = query(start=start, end=end)
    return Call("GET", path("sessions", session_id), reading(Session), given)


def alerts(
    filter: str = "",  # noqa: A002
    *,
    kinds: str | Iterable[str] | None = None,
    start: Time = "24h",
    end: Time = "now",
    page_size: int = 100,
) -> PageCall[Alerts, Alert]:
    """What guards stopped and what failed, the latest first."""
    given = query(filter=filter, kind=names(kinds), start=start, end=end, limit=page_size)
    return PageCall(
        Call("GET", "/alerts", reading(Alerts), given),
        lambda page: page.alerts,
        lambda page: page.next_cursor,
    )
