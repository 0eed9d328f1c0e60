"""One span as it is read: its columns, its contents, and its place in its trace."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from operator import attrgetter
from typing import Final, Literal

from agentguard_storage.queries.columns import Columns
from agentguard_storage.queries.contents import NOTHING, Contents, SpanEvent, SpanLink
from agentguard_storage.queries.critical_path import Place, places
from agentguard_storage.queries.sources import NOWHERE, Source

__all__ = ["BRIEF", "SHAPE", "SpanKind", "SpanRow", "read_places", "read_spans"]

SpanKind = Literal["llm", "tool", "agent", "workflow", "retrieval", "embedding", "guard", "other"]


# Ten thousand are made at once: by position, and not frozen, one takes 1 us instead of 30.
@dataclass(slots=True)
class SpanRow:
    """One span. Ids are lowercase hex, times and durations nanoseconds, money US dollars.

    The five token counts are disjoint; `cost` is None where no price is known, and
    `cost_source` then says `unpriced`. `call_hash` is equal for calls of the same tool or model
    with the same input, and empty for other kinds. `depth` to `critical_time_ns` are the span's
    place in its trace, as `critical_path.Place` has them. `attributes`, `events`, `links` and
    `resource` are empty where a trace was read without contents.
    """

    trace_id: str
    span_id: str
    parent_span_id: str
    name: str
    kind: SpanKind
    span_kind: Literal["unspecified", "internal", "server", "client", "producer", "consumer"]
    status: Literal["unset", "ok", "error"]
    status_message: str
    service: str
    environment: str
    session: str
    user: str
    scope: str
    scope_version: str
    start_time_ns: int
    end_time_ns: int
    duration_ns: int
    agent: str
    tool: str
    call_hash: str
    provider: str
    model: str
    input_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cost: Decimal | None
    cost_source: str
    price_version: str
    guard: str
    guard_action: str
    stop_reason: str
    depth: int
    child_count: int
    orphan: bool
    self_time_ns: int
    critical: bool
    critical_time_ns: int
    attributes: dict[str, object]
    events: list[SpanEvent]
    links: list[SpanLink]
    resource: dict[str, object]
    trace_state: str
    flags: int
    dropped_attributes_count: int
    dropped_events_count: int
    dropped_links_count: int

    @property
    def tokens(self) -> int:
        """All that was billed."""
        return (
            self.input_tokens
            + self.cache_read_tokens
            + self.cache_write_tokens
            + self.output_tokens
            + self.reasoning_tokens
        )


_SAME: Final = (
    "trace_id", "span_id", "parent_span_id", "name", "kind", "span_kind", "status",
    "status_message", "service", "environment", "session", "user", "agent", "tool", "provider",
    "model", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens",
    "reasoning_tokens", "cost", "cost_source", "price_version", "guard", "guard_action",
    "stop_reason", "trace_state", "flags", "dropped_attributes_count", "dropped_events_count",
    "dropped_links_count",
)  # fmt: skip

SHAPE: Final = (
    "span_id", "parent_span_id", "toUnixTimestamp64Nano(start_time) AS start_ns",
    "toUnixTimestamp64Nano(end_time) AS end_ns",
)  # fmt: skip
"""What `read_places` takes from a row of `spans`."""

BRIEF: Final = (*_SAME, "source_id", "spans.call_hash AS call_hash", *SHAPE[2:])
"""What `read_spans` takes from a row of `spans`."""


def read_places(found: Columns) -> list[Place]:
    """Return where the spans of a trace stand, from their `SHAPE`."""
    return places(
        found["span_id"],
        found["parent_span_id"],
        [start % 2**64 for start in found["start_ns"]],
        [end % 2**64 for end in found["end_ns"]],
    )


def read_spans(
    found: Columns,
    where: Sequence[Place],
    sources: Mapping[int, Source],
    contents: Sequence[Contents] | None = None,
) -> list[SpanRow]:
    """Return spans from their `BRIEF`, with their places, and their contents if they were read."""
    starts = [start % 2**64 for start in found["start_ns"]]
    ends = [end % 2**64 for end in found["end_ns"]]
    from_where = [sources.get(source_id, NOWHERE) for source_id in found["source_id"]]
    own = contents or [NOTHING] * len(starts)
    columns: dict[str, Iterable[object]] = {
        **{name: found[name] for name in _SAME},
        **{name: map(attrgetter(name), where) for name in _OF_PLACE},
        **{name: map(attrgetter(name), own) for name in _OF_CONTENTS},
        **{name: map(attrgetter(name), from_where) for name in _OF_SOURCE},
        "start_time_ns": starts,
        "end_time_ns": ends,
        "duration_ns": [max(end - start, 0) for start, end in zip(starts, ends, strict=True)],
        "call_hash": [f"{hash_:016x}" if hash_ else "" for hash_ in found["call_hash"]],
    }
    return list(map(SpanRow, *(columns[field.name] for field in fields(SpanRow))))


_OF_PLACE: Final = (
    "depth", "child_count", "orphan", "self_time_ns", "critical", "critical_time_ns",
)  # fmt: skip
_OF_CONTENTS: Final = ("attributes", "events", "links")
_OF_SOURCE: Final = ("scope", "scope_version", "resource")
