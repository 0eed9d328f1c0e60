"""Spans of which everything is known, for questions that plain Python answers too."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.storage.telemetry.telemetry_store import make_span, request_of

START = datetime(2026, 3, 25, 13, 17, 5, tzinfo=UTC)
"""When the first of them may start: days before clocks change in Europe."""
HOURS = 160
SECOND = 10**9
_HOUR_NS = 3_600 * SECOND
_OPERATIONS = {"llm": "chat", "tool": "execute_tool", "agent": "invoke_agent", "guard": "guard"}
HOSTILE = 'it\'s \\ "a"\n\t{b:String} %s'


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """A span, by the names that the store has for what it says."""

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: str
    status: str
    status_message: str
    start_ns: int
    duration_ns: int
    service: str
    environment: str
    session: str
    user: str
    agent: str
    tool: str
    provider: str
    model: str
    input_tokens: int
    cache_read_tokens: int
    output_tokens: int
    cost: Decimal | None
    unpriced: bool
    guard: str
    guard_action: str
    stop_reason: str
    tier: str

    @property
    def tokens(self) -> int:
        """All that was billed."""
        return self.input_tokens + self.cache_read_tokens + self.output_tokens

    def span(self) -> Span:
        """The span as it is sent."""
        made = make_span(
            {key: value for key, value in self._attributes() if value not in ("", 0)},
            trace_id=bytes.fromhex(self.trace_id),
            span_id=bytes.fromhex(self.span_id),
            parent_span_id=bytes.fromhex(self.parent_span_id),
            name=self.name,
            start_time_unix_nano=self.start_ns,
            end_time_unix_nano=self.start_ns + self.duration_ns,
        )
        if self.status == "error":
            made.status.code, made.status.message = 2, self.status_message
        return made

    def _attributes(self) -> Iterator[tuple[str, object]]:
        yield "gen_ai.operation.name", _OPERATIONS.get(self.kind, "")
        yield "session.id", self.session
        yield "user.id", self.user
        yield "gen_ai.agent.name", self.agent
        yield "gen_ai.tool.name", self.tool
        yield "gen_ai.provider.name", self.provider
        yield "gen_ai.request.model", self.model
        yield "gen_ai.usage.input_tokens", self.input_tokens + self.cache_read_tokens
        yield "gen_ai.usage.cache_read.input_tokens", self.cache_read_tokens
        yield "gen_ai.usage.output_tokens", self.output_tokens
        yield "agentguard.guard.name", self.guard
        yield "agentguard.guard.action", self.guard_action
        yield "agentguard.guard.reason", self.stop_reason
        yield "agentguard.stop.reason", self.stop_reason
        yield "customer.tier", self.tier
        if self.cost is not None:
            yield "agentguard.cost.usd", float(self.cost)


def known_spans(seed: int, traces: int = 60) -> list[Known]:
    """Traces of one to nine spans that go on for seconds or hours; sessions, errors, stops."""
    rng = random.Random(seed)  # noqa: S311  nothing is secret
    found: list[Known] = []
    for _ in range(traces):
        trace_id, session = rng.randbytes(16).hex(), rng.choice(["", "s1", "s2", HOSTILE])
        service = rng.choice(["crawler", "writer"])
        began = int(START.timestamp()) * SECOND + rng.randrange(HOURS * _HOUR_NS)
        step = rng.choice([SECOND, _HOUR_NS])
        root = rng.randbytes(8).hex()
        for number in range(rng.randint(1, 9)):
            kind = "agent" if number == 0 else rng.choice(["llm", "llm", "tool", "guard", "other"])
            parent = root if number else ""
            made = _span(rng, kind, trace_id, parent, began, service, session)
            found.append(made if number else replace(made, span_id=root))
            began += rng.randrange(step)
    return found


def _span(
    rng: random.Random, kind: str, trace: str, parent: str, at: int, service: str, session: str
) -> Known:
    model = rng.choice(["gpt-4o", "claude-sonnet-4-5", "nobody-knows"]) if kind == "llm" else ""
    unpriced = model == "nobody-knows"
    failed = rng.random() < 0.2
    action = rng.choice(["stop", "stop", "warn"]) if kind == "guard" else ""
    return Known(
        trace_id=trace,
        span_id=rng.randbytes(8).hex(),
        parent_span_id=parent,
        name=rng.choice(["plan", "search", HOSTILE]),
        kind=kind,
        status="error" if failed else "unset",
        status_message=rng.choice(["timed out", "refused"]) if failed else "",
        start_ns=at,
        duration_ns=rng.randrange(1, 10 * SECOND),
        service=service,
        environment=rng.choice(["dev", "prod"]) if service == "writer" else "",
        session=session,
        user="ada" if session == "s1" else "",
        agent=rng.choice(["", "Planner", "Researcher"]),
        tool=rng.choice(["search", "fetch"]) if kind == "tool" else "",
        provider="openai" if model else "",
        model=model,
        input_tokens=rng.randrange(1_000) if model else 0,
        cache_read_tokens=rng.randrange(1_000) if model else 0,
        output_tokens=rng.randrange(1, 1_000) if model else 0,
        cost=Decimal(rng.randrange(1, 64)) / 64 if model and not unpriced else None,
        unpriced=unpriced,
        guard=rng.choice(["loop", "budget"]) if kind == "guard" else "",
        guard_action=action,
        stop_reason=rng.choice(["again and again", HOSTILE]) if action == "stop" else "",
        tier=rng.choice(["", "gold", HOSTILE]),
    )


def requests(spans: list[Known]) -> list[ExportTraceServiceRequest]:
    """The exports that carry them, one for each resource."""
    origins = sorted({(each.service, each.environment) for each in spans})
    return [
        request_of(
            *(each.span() for each in spans if (each.service, each.environment) == origin),
            **{
                name: value
                for name, value in zip(
                    ("service_name", "deployment_environment_name"), origin, strict=True
                )
                if value
            },
        )
        for origin in origins
    ]
