"""Which attribute names mean the same thing, over the three vocabularies agents are traced in.

A *field* is one thing that AgentGuard promotes to a column; its names are the keys under which
OpenTelemetry GenAI (https://opentelemetry.io/docs/specs/semconv/gen-ai/), OpenInference
(https://github.com/Arize-ai/openinference, spec/semantic_conventions.md) and Traceloop
(https://github.com/traceloop/openllmetry) report it, today and in releases that are still around.
The ingest views look every key of a span up once and find fields by their code, so a name costs
nothing there. Where two vocabularies on one span could disagree, they are fields apart, and the
view says which one wins.
"""

from typing import Final

FIELDS: Final[dict[str, tuple[str, ...]]] = {
    # Token counts come first: the views cut them out as one range of codes.
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
    "stated_cost": ("agentguard.cost.usd",),
    "reported_cost": ("llm.cost.total", "gen_ai.usage.cost"),
}

CODES: Final[dict[str, int]] = {field: code for code, field in enumerate(FIELDS, start=1)}
LAST_TOKEN_CODE: Final = CODES["total_tokens"]
