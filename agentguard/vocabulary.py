"""Which attribute names mean the same thing, over the three vocabularies agents are traced in.

A *field* is one thing that guards look at and that the store promotes to a column; its names are
the keys under which OpenTelemetry GenAI (https://opentelemetry.io/docs/specs/semconv/gen-ai/),
OpenInference (https://github.com/Arize-ai/openinference, spec/semantic_conventions.md) and
Traceloop (https://github.com/traceloop/openllmetry) report it, today and in releases that are still
around. Where two vocabularies on one span could disagree, they are fields apart, and the reader
says which one wins.
"""

from collections.abc import Mapping
from typing import Final

__all__ = ["FIELDS", "read"]

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    # Token counts come first: the ingest views cut them out as one range of codes.
    "input_tokens": (
        "gen_ai.usage.input_tokens",
        "gen_ai.usage.prompt_tokens",
        "llm.token_count.prompt",
        "llm.usage.prompt_tokens",
        "decision.token_count.input",
    ),
    "output_tokens": (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.token_count.completion",
        "llm.usage.completion_tokens",
        "decision.token_count.output",
    ),
    "cache_read_tokens": (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "gen_ai.usage.cache_read_tokens",
        "gen_ai.usage.input_tokens.cached",
        "llm.token_count.prompt_details.cache_read",
        "llm.token_count.prompt_details.cache_input",
    ),
    "cache_write_tokens": (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "gen_ai.usage.cache_write_tokens",
        "gen_ai.usage.input_tokens.cache_write",
        "llm.token_count.prompt_details.cache_write",
    ),
    "reasoning_tokens": (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.output_tokens.reasoning",
        "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
        "llm.usage.reasoning_tokens",
    ),
    "total_tokens": (
        "llm.token_count.total",
        "gen_ai.usage.total_tokens",
        "llm.usage.total_tokens",
    ),
    "operation": ("gen_ai.operation.name",),
    "openinference_kind": ("openinference.span.kind",),
    "traceloop_kind": ("traceloop.span.kind",),
    "request_type": ("llm.request.type",),
    "response_model": (
        "gen_ai.response.model",
        "llm.response.model_name",
        "llm.model_name",
        "embedding.model_name",
        "reranker.model_name",
    ),
    "request_model": ("gen_ai.request.model", "llm.request.model_name"),
    "invocation_parameters": ("llm.invocation_parameters",),
    "provider": ("gen_ai.provider.name", "llm.provider"),
    "system": ("gen_ai.system", "llm.system"),
    "agent": ("gen_ai.agent.name", "agent.name"),
    "graph_node": ("graph.node.name",),
    "entity": ("traceloop.entity.name",),
    "tool": ("gen_ai.tool.name", "tool.name"),
    "tool_arguments": (
        "gen_ai.tool.call.arguments",
        "tool.parameters",
        "traceloop.entity.input",
    ),
    "input": ("gen_ai.input.messages", "input.value"),
    "session": ("gen_ai.conversation.id", "session.id"),
    "associated_session": (
        "traceloop.association.properties.session_id",
        "traceloop.association.properties.thread_id",
        "traceloop.association.properties.conversation_id",
    ),
    "user": (
        "user.id",
        "enduser.id",
        "gen_ai.user",
        "llm.user",
        "traceloop.association.properties.user_id",
    ),
    "guard": ("agentguard.guard.name",),
    "guard_action": ("agentguard.guard.action",),
    "stop_reason": ("agentguard.stop.reason",),
    "wraps_model_call": ("agentguard.wraps_model_call",),
    "stated_cost": ("agentguard.cost.usd",),
    "reported_cost": ("llm.cost.total", "gen_ai.usage.cost"),
}


_PLACES: Final = {
    name: (field, rank) for field, names in FIELDS.items() for rank, name in enumerate(names)
}


def read(attributes: Mapping[str, object]) -> dict[str, object]:
    """The fields that the attributes have, each under the first of its names that is there."""
    found: dict[str, object] = {}
    ranks: dict[str, int] = {}
    for name, value in attributes.items():
        place = _PLACES.get(name)
        if place is not None:
            field, rank = place
            if rank < ranks.get(field, len(_PLACES)):
                found[field] = value
                ranks[field] = rank
    return found
