"""What a filter can ask about: one table, from which the grammar's names, SQL and docs come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["FAMILIES", "FIELDS", "NAMES", "Field", "FieldType", "Place"]

FieldType = Literal["text", "enum", "flag", "count", "money", "duration", "number"]

Place = Literal["spans", "sources", "traces", "any span"]
"""Where the expression is evaluated: on the span, on its resource and scope, on the sums of its
trace, or on every span of its trace."""


@dataclass(frozen=True, slots=True)
class Field:
    """A name that may stand before a colon.

    `expression` is SQL over the columns of its place: our own text, into which nothing is put.
    `many` says that it is an array, of which one element has to match; `keyed`, that the name goes
    on with an attribute's key.
    """

    name: str
    type: FieldType
    expression: str
    description: str
    place: Place = "spans"
    aliases: tuple[str, ...] = ()
    values: tuple[str, ...] = ()
    many: bool = False
    keyed: bool = False

    @property
    def optional(self) -> bool:
        """Whether a span or trace may be without it, so that `name:*` says something."""
        return self.type in ("text", "money", "number") and not (
            self.type == "money" and self.place == "traces"
        )


_KINDS: Final = ("llm", "tool", "agent", "workflow", "retrieval", "embedding", "guard", "other")
_TOKENS: Final = (
    "input_tokens + cache_read_tokens + cache_write_tokens + output_tokens + reasoning_tokens"
)
_SUM_OF_TOKENS: Final = (
    "sum(input_tokens) + sum(cache_read_tokens) + sum(cache_write_tokens)"
    " + sum(output_tokens) + sum(reasoning_tokens)"
)

_OF_SPANS: Final = (
    Field("kind", "enum", "kind", "what the span is", values=_KINDS),
    Field("name", "text", "name", "the span's name"),
    Field("status", "enum", "status", "how it ended", values=("unset", "ok", "error")),
    Field("message", "text", "status_message", "what went wrong", aliases=("status_message",)),
    Field("service", "text", "service", "`service.name` of the resource"),
    Field("environment", "text", "environment", "where it is deployed", aliases=("env",)),
    Field("session", "text", "session", "the conversation", aliases=("conversation",)),
    Field("user", "text", "user", "whom it was for"),
    Field("agent", "text", "agent", "the agent's name"),
    Field("tool", "text", "tool", "the tool's name"),
    Field("provider", "text", "provider", "who answered the model call, in lower case"),
    Field("model", "text", "model", "the model that answered, or was asked"),
    Field("cost", "money", "cost", "dollars; nothing where no price is known"),
    Field(
        "cost_source", "enum", "cost_source", "who says what it cost",
        values=("price table", "stated", "reported", "unpriced"),
    ),
    Field("unpriced", "flag", "cost_source = 'unpriced'", "a model call without a known price"),
    Field("duration", "duration", "duration_ns", "from start to end"),
    Field("tokens", "count", _TOKENS, "all five kinds of tokens"),
    Field("input_tokens", "count", "input_tokens", "without what came from a cache"),
    Field("cache_read_tokens", "count", "cache_read_tokens", "read from a cache"),
    Field("cache_write_tokens", "count", "cache_write_tokens", "written into a cache"),
    Field("output_tokens", "count", "output_tokens", "without reasoning"),
    Field("reasoning_tokens", "count", "reasoning_tokens", "thought, and not said"),
    Field("guard", "text", "guard", "the guard whose verdict this is"),
    Field("action", "text", "guard_action", "the guard's verdict: `stop`, `deny`, `warn`"),
    Field("reason", "text", "stop_reason", "why a guard stopped it", aliases=("stop_reason",)),
    Field("trace", "text", "trace_id", "the trace's id, in lowercase hex", aliases=("trace_id",)),
    Field("span", "text", "span_id", "the span's id", aliases=("span_id",)),
    Field("parent", "text", "parent_span_id", "the parent's id", aliases=("parent_id",)),
    Field("root", "flag", "parent_span_id = ''", "a span without a parent"),
    Field("event", "text", "events.name", "the name of one of its events", many=True),
    Field("scope", "text", "scope_name", "the instrumentation scope", place="sources"),
)  # fmt: skip

FAMILIES: Final = (
    Field("attr.", "text", "attributes", "an attribute of the span", keyed=True),
    Field(
        "resource.", "text", "resource_attributes", "an attribute of the resource",
        place="sources", keyed=True,
    ),
)  # fmt: skip


def _of_trace(
    name: str, type_: FieldType, expression: str, description: str, *, many: bool = False,
    values: tuple[str, ...] = (), aliases: tuple[str, ...] = (), place: Place = "traces",
) -> Field:  # fmt: skip
    return Field(f"trace.{name}", type_, expression, description, place=place, many=many,
                 values=values, aliases=tuple(f"trace.{alias}" for alias in aliases))  # fmt: skip


_OF_TRACES: Final = (
    _of_trace(
        "name", "text", "if(max(root_name) != '', max(root_name), min(first_span).2)",
        "the root span's name",
    ),
    _of_trace("service", "text", "groupUniqArrayArray(services)", "one of its services", many=True),
    _of_trace("environment", "text", "max(environment)", "where it ran", aliases=("env",)),
    _of_trace("agent", "text", "groupUniqArrayArray(agents)", "one of its agents", many=True),
    _of_trace("model", "text", "groupUniqArrayArray(models)", "one of its models", many=True),
    _of_trace("tool", "text", "tool", "one of its tools", place="any span"),
    _of_trace("session", "text", "max(session)", "the conversation"),
    _of_trace("user", "text", "max(user)", "whom it was for"),
    _of_trace(
        "status", "enum", "if(sum(error_count) > 0, 'error', 'ok')",
        "`error` where a span failed", values=("ok", "error"),
    ),
    _of_trace("spans", "count", "sum(span_count)", "its spans"),
    _of_trace("errors", "count", "sum(error_count)", "its spans that failed"),
    _of_trace("llm_calls", "count", "sum(llm_calls)", "its model calls"),
    _of_trace("tool_calls", "count", "sum(tool_calls)", "its tool calls"),
    _of_trace("tokens", "count", _SUM_OF_TOKENS, "all its tokens"),
    _of_trace("cost", "money", "sum(cost)", "dollars, of its priced calls"),
    _of_trace("unpriced", "flag", "sum(unpriced_calls) > 0", "some calls have no known price"),
    _of_trace(
        "duration", "duration",
        "greatest(toUnixTimestamp64Nano(max(end_time))"
        " - toUnixTimestamp64Nano(min(start_time)), 0)",
        "from its first start to its last end",
    ),
    _of_trace("guard", "text", "guard", "a guard that gave a verdict", place="any span"),
    _of_trace("action", "text", "guard_action", "a verdict", place="any span"),
    _of_trace("reason", "text", "max(stop_reason)", "why a guard stopped it", aliases=("stop",)),
)  # fmt: skip

FIELDS: Final[tuple[Field, ...]] = (*_OF_SPANS, *FAMILIES, *_OF_TRACES)
"""Every field, in the order of the docs."""

NAMES: Final[dict[str, Field]] = {
    name: field for field in FIELDS if not field.keyed for name in (field.name, *field.aliases)
}
"""By their names and aliases; without the families."""
