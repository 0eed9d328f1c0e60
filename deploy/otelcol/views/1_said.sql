-- What each span of the OpenTelemetry Collector's table says, under one name per meaning, whichever
-- of the vocabularies it is written in. The table's maps hold text alone, so numbers are text here.
CREATE OR REPLACE VIEW otel.said AS
SELECT
    -- from the vocabulary: operation, openinference_kind, traceloop_kind, request_type
    SpanAttributes['gen_ai.operation.name'] AS said_operation,
    SpanAttributes['openinference.span.kind'] AS said_openinference_kind,
    SpanAttributes['traceloop.span.kind'] AS said_traceloop_kind,
    SpanAttributes['llm.request.type'] AS said_request_type,
    -- so far
    -- from the vocabulary: provider, system, response_model, request_model, invocation_parameters
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.provider.name'],
        SpanAttributes['llm.provider']]) AS said_provider,
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.system'],
        SpanAttributes['llm.system']]) AS said_system,
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.response.model'],
        SpanAttributes['llm.response.model_name'],
        SpanAttributes['llm.model_name'],
        SpanAttributes['embedding.model_name'],
        SpanAttributes['reranker.model_name']]) AS said_response_model,
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.request.model'],
        SpanAttributes['llm.request.model_name']]) AS said_request_model,
    SpanAttributes['llm.invocation_parameters'] AS said_invocation_parameters,
    -- so far
    -- from the vocabulary: agent, graph_node, entity, tool, tool_arguments, input
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.agent.name'],
        SpanAttributes['agent.name']]) AS said_agent,
    SpanAttributes['graph.node.name'] AS said_graph_node,
    SpanAttributes['traceloop.entity.name'] AS said_entity,
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.tool.name'],
        SpanAttributes['tool.name']]) AS said_tool,
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.tool.call.arguments'],
        SpanAttributes['tool.parameters'],
        SpanAttributes['traceloop.entity.input']]) AS said_tool_arguments,
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.input.messages'],
        SpanAttributes['input.value']]) AS said_input,
    -- so far
    -- from the vocabulary: session, associated_session, user, guard, guard_action, stop_reason
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.conversation.id'],
        SpanAttributes['session.id']]) AS said_session,
    arrayFirst(v -> v != '', [
        SpanAttributes['traceloop.association.properties.session_id'],
        SpanAttributes['traceloop.association.properties.thread_id'],
        SpanAttributes['traceloop.association.properties.conversation_id']]) AS said_associated_session,
    arrayFirst(v -> v != '', [
        SpanAttributes['user.id'],
        SpanAttributes['enduser.id'],
        SpanAttributes['gen_ai.user'],
        SpanAttributes['llm.user'],
        SpanAttributes['traceloop.association.properties.user_id']]) AS said_user,
    SpanAttributes['agentguard.guard.name'] AS said_guard,
    SpanAttributes['agentguard.guard.action'] AS said_guard_action,
    SpanAttributes['agentguard.stop.reason'] AS said_stop_reason,
    -- so far
    -- from the vocabulary: stated_cost, reported_cost
    SpanAttributes['agentguard.cost.usd'] AS said_stated_cost,
    arrayFirst(v -> v != '', [
        SpanAttributes['llm.cost.total'],
        SpanAttributes['gen_ai.usage.cost']]) AS said_reported_cost,
    -- so far
    -- from the vocabulary: input_tokens, output_tokens, total_tokens
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.usage.input_tokens'],
        SpanAttributes['gen_ai.usage.prompt_tokens'],
        SpanAttributes['llm.token_count.prompt'],
        SpanAttributes['llm.usage.prompt_tokens'],
        SpanAttributes['decision.token_count.input']]) AS said_input_tokens,
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.usage.output_tokens'],
        SpanAttributes['gen_ai.usage.completion_tokens'],
        SpanAttributes['llm.token_count.completion'],
        SpanAttributes['llm.usage.completion_tokens'],
        SpanAttributes['decision.token_count.output']]) AS said_output_tokens,
    arrayFirst(v -> v != '', [
        SpanAttributes['llm.token_count.total'],
        SpanAttributes['gen_ai.usage.total_tokens'],
        SpanAttributes['llm.usage.total_tokens']]) AS said_total_tokens,
    -- so far
    -- from the vocabulary: cache_read_tokens, cache_write_tokens, reasoning_tokens
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.usage.cache_read.input_tokens'],
        SpanAttributes['gen_ai.usage.cache_read_input_tokens'],
        SpanAttributes['gen_ai.usage.cache_read_tokens'],
        SpanAttributes['gen_ai.usage.input_tokens.cached'],
        SpanAttributes['llm.token_count.prompt_details.cache_read'],
        SpanAttributes['llm.token_count.prompt_details.cache_input']]) AS said_cache_read_tokens,
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.usage.cache_write.input_tokens'],
        SpanAttributes['gen_ai.usage.cache_creation.input_tokens'],
        SpanAttributes['gen_ai.usage.cache_creation_input_tokens'],
        SpanAttributes['gen_ai.usage.cache_write_tokens'],
        SpanAttributes['gen_ai.usage.input_tokens.cache_write'],
        SpanAttributes['llm.token_count.prompt_details.cache_write']]) AS said_cache_write_tokens,
    arrayFirst(v -> v != '', [
        SpanAttributes['gen_ai.usage.reasoning.output_tokens'],
        SpanAttributes['gen_ai.usage.output_tokens.reasoning'],
        SpanAttributes['gen_ai.usage.reasoning_tokens'],
        SpanAttributes['llm.token_count.completion_details.reasoning'],
        SpanAttributes['llm.usage.reasoning_tokens']]) AS said_reasoning_tokens,
    -- so far
    *
FROM otel.otel_traces;
