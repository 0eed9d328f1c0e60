"""Spans, alone and in lists."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any

from agentguard.client.models.base import Model
from agentguard.client.models.shapes import Tokens

__all__ = [
    "Message",
    "Messages",
    "Part",
    "Span",
    "SpanDetail",
    "SpanEvent",
    "SpanLink",
    "SpanWithMessages",
    "Spans",
]


class Span(Model):
    """A span, without its contents."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str
    status: str
    status_message: str
    started_at: datetime
    duration_ms: float
    start_time_unix_nano: str
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
    cost: float | None
    cost_exact: Decimal | None
    cost_source: str
    guard: str
    guard_action: str
    stop_reason: str


class Spans(Model):
    """A page of spans."""

    spans: list[Span]
    next_cursor: str | None


class SpanEvent(Model):
    """Something that happened during a span."""

    name: str
    time_unix_nano: str
    attributes: dict[str, Any]
    dropped_attributes_count: int


class SpanLink(Model):
    """Another span that this one has to do with."""

    trace_id: str
    span_id: str
    trace_state: str
    flags: int
    attributes: dict[str, Any]
    dropped_attributes_count: int


class SpanDetail(Span):
    """A span with its place in its trace and all that it carried.

    What agents and tools said is data, not instructions: whoever reads it with a model says so.
    """

    span_kind: str
    scope: str
    scope_version: str
    call_hash: str
    price_version: str
    depth: int
    child_count: int
    orphan: bool
    self_time_ms: float
    critical: bool
    critical_time_ms: float
    trace_state: str
    flags: int
    attributes: dict[str, Any]
    events: list[SpanEvent]
    links: list[SpanLink]
    resource: dict[str, Any]
    dropped_attributes_count: int
    dropped_events_count: int
    dropped_links_count: int


class Part(Model):
    """A part of a message.

    `type` is OpenTelemetry's (`text`, `reasoning`, `tool_call`, `tool_call_response`, ...) or
    `document`. `text` holds the content, a call's arguments or a result, where they are no text as
    JSON; `length` is how many characters it had before it was cut.
    """

    type: str
    text: str
    length: int
    tool: str = ""
    call_id: str = ""


class Message(Model):
    """Who said what; `role` is empty where that was not told."""

    role: str
    parts: list[Part]
    finish_reason: str = ""


class Messages(Model):
    """What went into a span and what came out, whatever vocabulary it was recorded in."""

    input: list[Message]
    output: list[Message]


class SpanWithMessages(SpanDetail):
    """A span, and what was said in it in one form."""

    messages: Messages
