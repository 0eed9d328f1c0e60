-- otel_traces as AgentGuard's `spans`: the same columns, so the same queries. All of it is the
-- project 'otel'. Kinds, token counts and costs follow AgentGuard's own views, in the files
-- 0004_spans.sql and 0005_keep.sql of its schema.
CREATE OR REPLACE VIEW otel.spans AS
WITH
    input_tokens + cache_read_tokens + cache_write_tokens AS all_input,
    1 + arrayCount(s -> all_input > s, p.tier_starts) AS tier,
    toInt128(input_tokens) * p.input[tier] + toInt128(cache_read_tokens) * p.cache_read[tier]
        + toInt128(cache_write_tokens) * p.cache_write[tier] + toInt128(output_tokens) * p.output[tier]
        + toInt128(reasoning_tokens) * p.reasoning[tier] + p.per_request AS pico_dollars,
    if(counted, toDecimal128OrNull(said_stated_cost, 12), NULL) AS stated_dollars,
    if(counted, toDecimal128OrNull(said_reported_cost, 12), NULL) AS reported_dollars
SELECT
    toLowCardinality('otel') AS project_id,
    toStartOfHour(toTimeZone(Timestamp, 'UTC'))::DateTime('UTC') AS ts_hour,
    TraceId AS trace_id,
    SpanId AS span_id,
    ParentSpanId AS parent_span_id,
    SpanName AS name,
    kind,
    transform(lower(replaceOne(StatusCode, 'STATUS_CODE_', '')), ['ok', 'error'], ['ok', 'error'], 'unset')
        ::Enum8('unset' = 0, 'ok' = 1, 'error' = 2) AS status,
    StatusMessage AS status_message,
    toTimeZone(Timestamp, 'UTC') AS start_time,
    fromUnixTimestamp64Nano(toUnixTimestamp64Nano(Timestamp) + toInt64(Duration), 'UTC') AS end_time,
    toUInt64(Duration) AS duration_ns,
    ServiceName AS service,
    toLowCardinality(if(
        mapContains(ResourceAttributes, 'deployment.environment.name'),
        ResourceAttributes['deployment.environment.name'],
        ResourceAttributes['deployment.environment'])) AS environment,
    if(said_session != '', said_session, said_associated_session) AS session,
    said_user AS user,
    agent, tool,
    multiIf(
        kind = 'tool', cityHash64(tool, said_tool_arguments),
        kind = 'llm', cityHash64(model, said_input),
        0) AS call_hash,
    c.provider AS provider, c.model AS model,
    input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    multiIf(
        stated_dollars IS NOT NULL, stated_dollars,
        counted AND p.priced, toDecimal128(pico_dollars, 0) * toDecimal128('0.000000000001', 12),
        reported_dollars) AS cost,
    multiIf(NOT counted, '', stated_dollars IS NOT NULL, 'stated', p.priced, 'price table',
        reported_dollars IS NOT NULL, 'reported', 'unpriced')
        ::Enum8('' = 0, 'price table' = 1, 'stated' = 2, 'reported' = 3, 'unpriced' = 4) AS cost_source,
    if(cost_source = 'price table', p.version, '') AS price_version,
    said_guard AS guard,
    said_guard_action AS guard_action,
    said_stop_reason AS stop_reason,
    sipHash64(mapKeys(ResourceAttributes), mapValues(ResourceAttributes), ScopeName, ScopeVersion) AS source_id,
    mapFilter((k, v) -> length(v) < 128, SpanAttributes) AS attributes,
    CAST([], 'Array(String)') AS attribute_types,
    -- A long text is one piece here; its hash finds it in the view `blobs`.
    arrayFilter(k -> length(SpanAttributes[k]) >= 128, mapKeys(SpanAttributes)) AS `content.key`,
    arrayMap(k -> toUInt8(0), `content.key`) AS `content.form`,
    arrayMap(k -> [reinterpretAsUInt128(sipHash128(SpanAttributes[k]))], `content.key`) AS `content.blobs`,
    arrayMap(t -> toUInt64(toUnixTimestamp64Nano(t)), Events.Timestamp) AS `events.time_unix_nano`,
    Events.Name AS `events.name`,
    -- Where `spans` has OTLP protobufs, one by one, this has one JSON object.
    arrayMap(m -> [toJSONString(m)], Events.Attributes) AS `events.attributes`,
    arrayMap(t -> toUInt32(0), Events.Timestamp) AS `events.dropped_attributes_count`,
    arrayMap(id -> unhex(id), Links.TraceId) AS `links.trace_id`,
    arrayMap(id -> unhex(id), Links.SpanId) AS `links.span_id`,
    Links.TraceState AS `links.trace_state`,
    arrayMap(m -> [toJSONString(m)], Links.Attributes) AS `links.attributes`,
    arrayMap(t -> toUInt32(0), Links.TraceId) AS `links.dropped_attributes_count`,
    arrayMap(t -> toUInt32(0), Links.TraceId) AS `links.flags`,
    transform(lower(replaceOne(SpanKind, 'SPAN_KIND_', '')),
        ['internal', 'server', 'client', 'producer', 'consumer'],
        ['internal', 'server', 'client', 'producer', 'consumer'], 'unspecified')
        ::Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5) AS span_kind,
    TraceState AS trace_state,
    toUInt32(0) AS flags,
    toUInt32(0) AS dropped_attributes_count,
    toUInt32(0) AS dropped_events_count,
    toUInt32(0) AS dropped_links_count,
    -- When it came is not in the table.
    end_time AS received_at,
    toUInt16(0) AS retention_days,
    -- as in `spans`: said
    lower(arrayStringConcat(arrayFilter((v, k) -> position(v, ' ') > 0 OR k IN ('gen_ai.input.messages', 'gen_ai.output.messages', 'gen_ai.system_instructions', 'gen_ai.tool.call.arguments', 'gen_ai.tool.call.result', 'input.value', 'output.value', 'tool.parameters', 'traceloop.entity.input', 'traceloop.entity.output') OR startsWith(k, 'gen_ai.prompt.') OR startsWith(k, 'gen_ai.completion.') OR startsWith(k, 'llm.input_messages.') OR startsWith(k, 'llm.output_messages.'), mapValues(attributes), mapKeys(attributes)), '\n')) AS said,
    -- so far
    '' AS region
FROM
(
    SELECT
        *,
        if(counted, toUInt64(greatest(0, if(cache_apart, n_input, n_input - n_cached))), 0) AS input_tokens,
        if(counted, toUInt64(n_read), 0) AS cache_read_tokens,
        if(counted, toUInt64(n_write), 0) AS cache_write_tokens,
        if(counted, toUInt64(greatest(0, n_output - if(
            hidden_reasoning > 0
                OR n_reasoning > n_output
                OR (n_total > 0 AND n_total IN (
                    n_both + n_reasoning, if(cache_apart, n_both + n_cached + n_reasoning, 0))),
            0, n_reasoning))), 0) AS output_tokens,
        if(counted, toUInt64(n_reasoning + hidden_reasoning), 0) AS reasoning_tokens
    FROM
    (
        SELECT
            *,
            n_read + n_write AS n_cached,
            n_input + n_output AS n_both,
            kind IN ('llm', 'embedding') AS counted,
            n_cached > n_input
                OR (n_total > 0 AND n_cached > 0
                    AND n_total IN (n_both + n_cached, n_both + n_cached + n_reasoning))
                OR startsWith(ScopeName, 'opentelemetry.instrumentation.bedrock') AS cache_apart,
            if(n_reasoning = 0 AND n_total > n_both
                AND provider IN ('gcp.gen_ai', 'gcp.gemini', 'gcp.vertex_ai', 'google', 'gemini', 'vertexai'),
                n_total - n_both, 0) AS hidden_reasoning
        FROM
        (
            SELECT
                *,
                multiIf(
                    said_openinference_kind != '', transform(said_openinference_kind,
                        ['LLM', 'DECISION', 'EMBEDDING', 'RETRIEVER', 'RERANKER', 'TOOL', 'AGENT', 'CHAIN', 'GUARDRAIL'],
                        ['llm', 'llm', 'embedding', 'retrieval', 'retrieval', 'tool', 'agent', 'workflow', 'guard'], 'other'),
                    said_operation != '', transform(said_operation,
                        ['chat', 'text_completion', 'generate_content', 'responses', 'completion', 'llm_request', 'embeddings', 'retrieval', 'vector_db_retrieve', 'execute_tool', 'invoke_agent', 'create_agent', 'invoke_workflow', 'execute_task', 'guardrail.run', 'guard'],
                        ['llm', 'llm', 'llm', 'llm', 'llm', 'llm', 'embedding', 'retrieval', 'retrieval', 'tool', 'agent', 'agent', 'workflow', 'workflow', 'guard', 'guard'],
                        if(said_request_model != '', 'llm', 'other')),
                    said_guard != '', 'guard',
                    said_traceloop_kind != '', transform(said_traceloop_kind,
                        ['workflow', 'task', 'agent', 'tool'], ['workflow', 'workflow', 'agent', 'tool'], 'other'),
                    said_request_type != '', transform(said_request_type,
                        ['chat', 'completion', 'embedding', 'rerank'], ['llm', 'llm', 'embedding', 'retrieval'], 'other'),
                    said_request_model != '' AND said_input_tokens != '', 'llm',
                    mapContains(SpanAttributes, 'agentguard.task.name'), 'workflow',
                    'other')::Enum8('other' = 0, 'llm' = 1, 'tool' = 2, 'agent' = 3, 'workflow' = 4, 'retrieval' = 5, 'embedding' = 6, 'guard' = 7) AS kind,
                multiIf(said_agent != '', said_agent, said_graph_node != '', said_graph_node,
                    said_traceloop_kind = 'agent', said_entity,
                    said_openinference_kind = 'AGENT', SpanName::String, '') AS agent,
                multiIf(kind != 'tool', '', said_tool != '', said_tool,
                    said_entity != '', said_entity, SpanName::String) AS tool,
                lower(if(said_provider != '', said_provider, said_system)) AS provider,
                multiIf(said_response_model != '', said_response_model, said_request_model != '', said_request_model,
                    JSONExtractString(said_invocation_parameters, 'model')) AS model,
                toStartOfFifteenMinutes(toTimeZone(Timestamp, 'UTC'))::DateTime('UTC') AS quarter,
                toInt64(greatest(0, least(1e10, toFloat64OrZero(replaceOne(said_input_tokens, 'nan', ''))))) AS n_input,
                toInt64(greatest(0, least(1e10, toFloat64OrZero(replaceOne(said_output_tokens, 'nan', ''))))) AS n_output,
                toInt64(greatest(0, least(1e10, toFloat64OrZero(replaceOne(said_cache_read_tokens, 'nan', ''))))) AS n_read,
                toInt64(greatest(0, least(1e10, toFloat64OrZero(replaceOne(said_cache_write_tokens, 'nan', ''))))) AS n_write,
                toInt64(greatest(0, least(1e10, toFloat64OrZero(replaceOne(said_reasoning_tokens, 'nan', ''))))) AS n_reasoning,
                toInt64(greatest(0, least(1e10, toFloat64OrZero(replaceOne(said_total_tokens, 'nan', ''))))) AS n_total
            FROM otel.said
        )
    )
) AS c
LEFT ANY JOIN otel.model_prices AS p ON c.provider = p.provider AND c.model = p.model AND c.quarter = p.quarter;
