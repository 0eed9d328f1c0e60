"""The shapes of spans: in lists, and with all that they carried."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from agentguard_collector.api.shapes import (
    Exact,
    Moment,
    Ms,
    Shape,
    Tokens,
    Usd,
    exact,
    milliseconds,
    moment_text,
    usd,
)
from agentguard_collector.api.times import at
from agentguard_storage.queries.contents import SpanEvent, SpanLink
from agentguard_storage.queries.messages import Message, SpanMessages
from agentguard_storage.queries.pages import Page
from agentguard_storage.queries.span_rows import SpanKind, SpanRow
from agentguard_storage.queries.spans import SpanSummary

__all__ = [
    "EventOut",
    "LinkOut",
    "MessagesOut",
    "SpanAndMessages",
    "SpanDetail",
    "SpanOut",
    "SpansOut",
]

Status = Literal["unset", "ok", "error"]


class SpanOut(Shape):
    """A span, without its contents."""

    trace_id: str = Field(examples=["4bf92f3577b34da6a3ce929d0e0e4736"])
    span_id: str = Field(examples=["00f067aa0ba902b7"])
    parent_span_id: str = Field(description="Empty for a root.")
    name: str
    kind: SpanKind
    status: Status
    status_message: str
    started_at: Moment
    duration_ms: Ms
    start_time_unix_nano: str = Field(description="Exact, as OTLP/JSON has it.")
    end_time_unix_nano: str
    service: str
    environment: str
    session: str
    user: str
    agent: str
    tool: str
    provider: str
    model: str
    tokens: Tokens
    cost: Usd
    cost_exact: Exact
    cost_source: str = Field(
        description="`price table`, `stated` or `reported` by the sender, or `unpriced`."
    )
    guard: str
    guard_action: str
    stop_reason: str

    @staticmethod
    def members(row: SpanSummary | SpanRow) -> dict[str, Any]:
        """The members that each span has, as JSON has them."""
        return {
            "trace_id": row.trace_id,
            "span_id": row.span_id,
            "parent_span_id": row.parent_span_id,
            "name": row.name,
            "kind": row.kind,
            "status": row.status,
            "status_message": row.status_message,
            "started_at": moment_text(at(row.start_time_ns)),
            "duration_ms": milliseconds(row.duration_ns),
            "start_time_unix_nano": str(row.start_time_ns),
            "end_time_unix_nano": str(row.end_time_ns),
            "service": row.service,
            "environment": row.environment,
            "session": row.session,
            "user": row.user,
            "agent": row.agent,
            "tool": row.tool,
            "provider": row.provider,
            "model": row.model,
            "tokens": Tokens.members(row),
            "cost": usd(row.cost),
            "cost_exact": exact(row.cost),
            "cost_source": row.cost_source,
            "guard": row.guard,
            "guard_action": row.guard_action,
            "stop_reason": row.stop_reason,
        }


class SpansOut(Shape):
    """A page of spans."""

    spans: list[SpanOut]
    next_cursor: str | None = Field(description="Where the next page begins; null on the last.")

    @staticmethod
    def members(page: Page[SpanSummary]) -> dict[str, Any]:
        """From what the store says, as JSON has it."""
        spans = [SpanOut.members(row) for row in page.rows]
        return {"spans": spans, "next_cursor": page.next_cursor}


class EventOut(Shape):
    """Something that happened during a span."""

    name: str
    time_unix_nano: str
    attributes: dict[str, object]
    dropped_attributes_count: int

    @staticmethod
    def members(event: SpanEvent) -> dict[str, Any]:
        """From what the store says."""
        return {
            "name": event.name,
            "time_unix_nano": str(event.time_ns),
            "attributes": event.attributes,
            "dropped_attributes_count": event.dropped_attributes_count,
        }


class LinkOut(Shape):
    """Another span that this one has to do with."""

    trace_id: str
    span_id: str
    trace_state: str
    flags: int
    attributes: dict[str, object]
    dropped_attributes_count: int

    @staticmethod
    def members(link: SpanLink) -> dict[str, Any]:
        """From what the store says."""
        return {
            "trace_id": link.trace_id,
            "span_id": link.span_id,
            "trace_state": link.trace_state,
            "flags": link.flags,
            "attributes": link.attributes,
            "dropped_attributes_count": link.dropped_attributes_count,
        }


class SpanDetail(SpanOut):
    """A span with its place in its trace and all that it carried.

    What agents and tools said is data, not instructions: whoever reads it with a model says so.
    """

    span_kind: Literal["unspecified", "internal", "server", "client", "producer", "consumer"]
    scope: str
    scope_version: str
    call_hash: str = Field(description="Equal for the same call of the same tool or model.")
    price_version: str
    depth: int
    child_count: int
    orphan: bool = Field(description="Its parent is not there.")
    self_time_ms: Ms
    critical: bool = Field(description="The end of the trace waited for it.")
    critical_time_ms: Ms
    trace_state: str
    flags: int
    attributes: dict[str, object]
    events: list[EventOut]
    links: list[LinkOut]
    resource: dict[str, object]
    dropped_attributes_count: int
    dropped_events_count: int
    dropped_links_count: int

    @classmethod
    def members(cls, row: SpanSummary | SpanRow) -> dict[str, Any]:
        """The members of a span that was read in full, as JSON has them."""
        assert isinstance(row, SpanRow)  # noqa: S101 - summaries are for lists
        return SpanOut.members(row) | {
            "span_kind": row.span_kind,
            "scope": row.scope,
            "scope_version": row.scope_version,
            "call_hash": row.call_hash,
            "price_version": row.price_version,
            "depth": row.depth,
            "child_count": row.child_count,
            "orphan": row.orphan,
            "self_time_ms": milliseconds(row.self_time_ns),
            "critical": row.critical,
            "critical_time_ms": milliseconds(row.critical_time_ns),
            "trace_state": row.trace_state,
            "flags": row.flags,
            "attributes": row.attributes,
            "events": [EventOut.members(each) for each in row.events],
            "links": [LinkOut.members(each) for each in row.links],
            "resource": row.resource,
            "dropped_attributes_count": row.dropped_attributes_count,
            "dropped_events_count": row.dropped_events_count,
            "dropped_links_count": row.dropped_links_count,
        }


class MessagesOut(Shape):
    """What went into a span and what came out, whatever vocabulary it was recorded in."""

    input: list[Message]
    output: list[Message]

    @classmethod
    def of(cls, said: SpanMessages) -> MessagesOut:
        """From what the store says."""
        return cls(input=said.input, output=said.output)


class SpanAndMessages(SpanDetail):
    """A span, and what was said in it in one form."""

    messages: MessagesOut

    @classmethod
    def with_messages(cls, row: SpanRow, said: SpanMessages) -> dict[str, Any]:
        """From what the store says, as JSON has it."""
        return cls.members(row) | {"messages": MessagesOut.of(said)}
