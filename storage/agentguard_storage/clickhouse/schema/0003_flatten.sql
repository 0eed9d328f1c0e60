-- otlp_spans: where an export request has become spans, promoted fields found, contents cut out.
-- Nothing is kept here either; the tables take from it what each of them keeps.
CREATE TABLE IF NOT EXISTS otlp_spans {on_cluster}
(
    project_id LowCardinality(String),
    received_at DateTime64(9, 'UTC'),
    retention_days UInt16,
    region LowCardinality(String),
    service LowCardinality(String),
    environment LowCardinality(String),
    source_id UInt64,
    trace_id String,
    span_id String,
    parent_span_id String,
    name String,
    kind Enum8('other' = 0, 'llm' = 1, 'tool' = 2, 'agent' = 3, 'workflow' = 4, 'retrieval' = 5, 'embedding' = 6, 'guard' = 7),
    span_kind Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5),
    status Enum8('unset' = 0, 'ok' = 1, 'error' = 2),
    status_message String,
    start_time DateTime64(9, 'UTC'),
    end_time DateTime64(9, 'UTC'),
    session String,
    user String,
    agent String,
    tool String,
    call_hash UInt64,
    provider LowCardinality(String),
    model LowCardinality(String),
    input_tokens UInt64,
    cache_read_tokens UInt64,
    cache_write_tokens UInt64,
    output_tokens UInt64,
    reasoning_tokens UInt64,
    stated_cost Nullable(Decimal(38, 12)),
    reported_cost Nullable(Decimal(38, 12)),
    guard String,
    guard_action String,
    stop_reason String,
    attributes Map(LowCardinality(String), String),
    attribute_types Array({any_value_kind}),
    content Nested(
        key LowCardinality(String),
        form UInt8,
        pieces Array(String)),
    events Nested(
        time_unix_nano UInt64,
        name String,
        attributes Array(String),
        dropped_attributes_count UInt32),
    links Nested(
        trace_id String,
        span_id String,
        trace_state String,
        attributes Array(String),
        dropped_attributes_count UInt32,
        flags UInt32),
    trace_state String,
    flags UInt32,
    dropped_attributes_count UInt32,
    dropped_events_count UInt32,
    dropped_links_count UInt32
)
ENGINE = Null;

-- An attribute's text of 128 bytes or more leaves the row for `blobs`. Agents resend their whole
-- history on each turn, so it is cut where one message ends and the next begins, and each message
-- is kept once. `form` says how to put it together again, to the letter:
-- (form & 3): pieces joined by nothing (0), '},{{"role"' (1) or '}, {{"role"' (2); (form & 4): '}]' follows.
-- Each subquery computes once what the next one uses many times: an alias would be computed anew at
-- every use. A lambda is given arrays as arguments, since one it captured would be copied for every
-- element.
CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_spans_from_inbox {on_cluster} TO otlp_spans AS
WITH
    -- The conventions count cached tokens into the input and reasoning into the output; raw
    -- Anthropic usage does not, nor does Gemini's with its thoughts. A total tells which it is, and
    -- so does a part that is larger than its whole.
    said_read + said_write AS said_cached,
    said_input + said_output AS said_both,
    said_cached > said_input
        OR (said_total > 0 AND said_cached > 0
            AND said_total IN (said_both + said_cached, said_both + said_cached + said_reasoning))
        OR startsWith(scope_name, 'opentelemetry.instrumentation.bedrock') AS cache_apart,
    said_reasoning > said_output
        OR (said_total > 0 AND said_reasoning > 0
            AND (said_total = said_both + said_reasoning
                OR (cache_apart AND said_total = said_both + said_cached + said_reasoning))) AS reasoning_apart,
    if(said_reasoning = 0 AND said_total > said_both
        AND provider IN ('gcp.gen_ai', 'gcp.gemini', 'gcp.vertex_ai', 'google', 'gemini', 'vertexai'),
        said_total - said_both, 0) AS hidden_reasoning,
    -- Agent and workflow spans repeat what their children used; only model calls are counted.
    kind IN ('llm', 'embedding') AS counted
SELECT
    * EXCEPT (said_input, said_output, said_read, said_write, said_reasoning, said_total,
        said_stated_cost, said_reported_cost, scope_name, arguments, input,
        openinference_kind, operation, traceloop_kind, request_type, request_model, response_model, entity,
        session_id, agent_name, graph_node, tool_name, provider_name),
    multiIf(kind = 'tool', cityHash64(tool, arguments), kind = 'llm', cityHash64(model, input), 0) AS call_hash,
    if(counted, greatest(0, if(cache_apart, said_input, said_input - said_cached)), 0) AS input_tokens,
    if(counted, said_read, 0) AS cache_read_tokens,
    if(counted, said_write, 0) AS cache_write_tokens,
    if(counted, greatest(0, if(reasoning_apart OR hidden_reasoning > 0, said_output, said_output - said_reasoning)), 0) AS output_tokens,
    if(counted, said_reasoning + hidden_reasoning, 0) AS reasoning_tokens,
    if(counted, toDecimal128OrNull(said_stated_cost, 12), NULL) AS stated_cost,
    if(counted, toDecimal128OrNull(said_reported_cost, 12), NULL) AS reported_cost
FROM
(
    SELECT
        project_id, received_at, retention_days, region, service, environment, source_id, scope_name,
        lower(hex(span.trace_id)) AS trace_id,
        lower(hex(span.span_id)) AS span_id,
        if(span.parent_span_id = unhex('0000000000000000'), '', lower(hex(span.parent_span_id))) AS parent_span_id,
        span.name AS name,
        if(span.kind BETWEEN 0 AND 5, span.kind, 0) AS span_kind,
        if(span.status.code BETWEEN 0 AND 2, span.status.code, 0) AS status,
        span.status.message AS status_message,
        fromUnixTimestamp64Nano(reinterpretAsInt64(span.start_time_unix_nano), 'UTC') AS start_time,
        fromUnixTimestamp64Nano(reinterpretAsInt64(span.end_time_unix_nano), 'UTC') AS end_time,
        multiIf(
            openinference_kind != '', transform(openinference_kind,
                ['LLM', 'DECISION', 'EMBEDDING', 'RETRIEVER', 'RERANKER', 'TOOL', 'AGENT', 'CHAIN', 'GUARDRAIL'],
                ['llm', 'llm', 'embedding', 'retrieval', 'retrieval', 'tool', 'agent', 'workflow', 'guard'], 'other'),
            guard != '', 'guard',
            operation != '', transform(operation,
                ['chat', 'text_completion', 'generate_content', 'responses', 'completion', 'llm_request', 'embeddings', 'retrieval', 'vector_db_retrieve', 'execute_tool', 'invoke_agent', 'create_agent', 'invoke_workflow', 'execute_task', 'guardrail.run', 'guard'],
                ['llm', 'llm', 'llm', 'llm', 'llm', 'llm', 'embedding', 'retrieval', 'retrieval', 'tool', 'agent', 'agent', 'workflow', 'workflow', 'guard', 'guard'],
                if(request_model != '', 'llm', 'other')),
            traceloop_kind != '', transform(traceloop_kind,
                ['workflow', 'task', 'agent', 'tool'], ['workflow', 'workflow', 'agent', 'tool'], 'other'),
            request_type != '', transform(request_type,
                ['chat', 'completion', 'embedding', 'rerank'], ['llm', 'llm', 'embedding', 'retrieval'], 'other'),
            request_model != '' AND said_input + said_output > 0, 'llm',
            'other') AS kind,
        strings[indexOf(codes, {code:openinference_kind})] AS openinference_kind,
        strings[indexOf(codes, {code:operation})] AS operation,
        strings[indexOf(codes, {code:traceloop_kind})] AS traceloop_kind,
        strings[indexOf(codes, {code:request_type})] AS request_type,
        strings[indexOf(codes, {code:request_model})] AS request_model,
        strings[indexOf(codes, {code:response_model})] AS response_model,
        strings[indexOf(codes, {code:entity})] AS entity,
        counts[indexOf(count_codes, {code:input_tokens})] AS said_input,
        counts[indexOf(count_codes, {code:output_tokens})] AS said_output,
        counts[indexOf(count_codes, {code:cache_read_tokens})] AS said_read,
        counts[indexOf(count_codes, {code:cache_write_tokens})] AS said_write,
        counts[indexOf(count_codes, {code:reasoning_tokens})] AS said_reasoning,
        counts[indexOf(count_codes, {code:total_tokens})] AS said_total,
        other_texts[indexOf(other_codes, {code:stated_cost})] AS said_stated_cost,
        other_texts[indexOf(other_codes, {code:reported_cost})] AS said_reported_cost,
        multiIf(
            strings[indexOf(codes, {code:session})] AS session_id != '', session_id,
            strings[indexOf(codes, {code:associated_session})]) AS session,
        strings[indexOf(codes, {code:user})] AS user,
        multiIf(
            strings[indexOf(codes, {code:agent})] AS agent_name != '', agent_name,
            strings[indexOf(codes, {code:graph_node})] AS graph_node != '', graph_node,
            traceloop_kind = 'agent', entity,
            openinference_kind = 'AGENT', name, '') AS agent,
        multiIf(
            kind != 'tool', '',
            strings[indexOf(codes, {code:tool})] AS tool_name != '', tool_name,
            entity != '', entity,
            name) AS tool,
        lower(if(
            strings[indexOf(codes, {code:provider})] AS provider_name != '', provider_name,
            strings[indexOf(codes, {code:system})])) AS provider,
        multiIf(
            response_model != '', response_model,
            request_model != '', request_model,
            JSONExtractString(strings[indexOf(codes, {code:invocation_parameters})], 'model')) AS model,
        strings[indexOf(codes, {code:tool_arguments})] AS arguments,
        strings[indexOf(codes, {code:input})] AS input,
        strings[indexOf(codes, {code:guard})] AS guard,
        strings[indexOf(codes, {code:guard_action})] AS guard_action,
        strings[indexOf(codes, {code:stop_reason})] AS stop_reason,
        mapFromArrays(arrayConcat(short_keys, other_keys), arrayConcat(short_strings, other_texts)) AS attributes,
        other_types AS attribute_types,
        arrayConcat(
            arrayFilter((k, f) -> bitAnd(f, 3) = 0, long_keys, forms),
            arrayFilter((k, f) -> bitAnd(f, 3) = 1, long_keys, forms),
            arrayFilter((k, f) -> bitAnd(f, 3) = 2, long_keys, forms)) AS `content.key`,
        arrayConcat(
            arrayFilter(f -> bitAnd(f, 3) = 0, forms),
            arrayFilter(f -> bitAnd(f, 3) = 1, forms),
            arrayFilter(f -> bitAnd(f, 3) = 2, forms)) AS `content.form`,
        arrayConcat(
            arrayMap(s -> [s], arrayFilter((s, f) -> bitAnd(f, 3) = 0, trimmed, forms)),
            arrayMap(s -> splitByString('}},{{"role"', s), arrayFilter((s, f) -> bitAnd(f, 3) = 1, trimmed, forms)),
            arrayMap(s -> splitByString('}}, {{"role"', s), arrayFilter((s, f) -> bitAnd(f, 3) = 2, trimmed, forms))) AS `content.pieces`,
        span.events.time_unix_nano AS `events.time_unix_nano`,
        span.events.name AS `events.name`,
        span.events.attributes AS `events.attributes`,
        span.events.dropped_attributes_count AS `events.dropped_attributes_count`,
        span.links.trace_id AS `links.trace_id`,
        span.links.span_id AS `links.span_id`,
        span.links.trace_state AS `links.trace_state`,
        span.links.attributes AS `links.attributes`,
        span.links.dropped_attributes_count AS `links.dropped_attributes_count`,
        span.links.flags AS `links.flags`,
        span.trace_state AS trace_state,
        span.flags AS flags,
        span.dropped_attributes_count AS dropped_attributes_count,
        span.dropped_events_count AS dropped_events_count,
        span.dropped_links_count AS dropped_links_count
    FROM
    (
        SELECT
            *,
            arrayMap((s, f) -> substring(s, 1, length(s) - if(f >= 4, 2, 0)), long_strings, forms) AS trimmed,
            arrayFilter((c, y) -> y, codes, is_count) AS count_codes,
            arrayMap((t, i, d, s) -> toInt64(greatest(0, least(1e10, multiIf(
                t = 'int', toFloat64(i), t = 'double', if(isNaN(d), 0, d), t = 'string', toFloat64OrZero(s), 0)))),
                arrayFilter((t, y) -> y, types, is_count),
                arrayFilter((i, y) -> y, ints, is_count),
                arrayFilter((d, y) -> y, span.attributes.value.double_value, is_count),
                arrayFilter((s, y) -> y, strings, is_count)) AS counts,
            arrayMap((t, i, d, b, a, l, y) -> multiIf(
                t = 'int', toString(i), t = 'double', toString(d), t = 'bool', if(b, 'true', 'false'),
                t = 'array', a, t = 'kvlist', l, y),
                other_types,
                arrayFilter((i, t) -> t != 'string', ints, types),
                arrayFilter((d, t) -> t != 'string', span.attributes.value.double_value, types),
                arrayFilter((b, t) -> t != 'string', span.attributes.value.bool_value, types),
                arrayFilter((a, t) -> t != 'string', span.attributes.value.array_value, types),
                arrayFilter((l, t) -> t != 'string', span.attributes.value.kvlist_value, types),
                arrayFilter((v, t) -> t != 'string', span.attributes.value.bytes_value, types)) AS other_texts
        FROM
        (
            SELECT
                *,
                arrayMap(c -> c BETWEEN 1 AND {last_token_code}, codes) AS is_count,
                arrayFilter((t, y) -> t != 'string', types, types) AS other_types,
                arrayFilter((k, t) -> t != 'string', keys, types) AS other_keys,
                arrayFilter((c, t) -> t != 'string', codes, types) AS other_codes,
                arrayFilter((k, y) -> y = 1, keys, lengths) AS short_keys,
                arrayFilter((s, y) -> y = 1, strings, lengths) AS short_strings,
                arrayFilter((k, y) -> y = 2, keys, lengths) AS long_keys,
                arrayFilter((s, y) -> y = 2, strings, lengths) AS long_strings,
                arrayMap(s -> multiIf(
                    position(s, '}},{{"role"') > 0, 1,
                    position(s, '}}, {{"role"') > 0, 2, 0) + if(endsWith(s, '}}]'), 4, 0), long_strings) AS forms
            FROM
            (
                SELECT
                    * EXCEPT (spans),
                    span,
                    span.attributes.key AS keys,
                    span.attributes.value.kind AS types,
                    span.attributes.value.string_value AS strings,
                    span.attributes.value.int_value AS ints,
                    arrayMap(k -> transform(k, {known_keys}, {known_codes}, toUInt8(0)), keys) AS codes,
                    arrayMap((t, s) -> toUInt8(t = 'string') + (length(s) >= 128), types, strings) AS lengths
                FROM
                (
                    SELECT
                        project_id, received_at, retention_days, region, service, environment,
                        scope_spans.scope.name AS scope_name, scope_spans.spans AS spans, {source_id} AS source_id
                    FROM
                    (
                        SELECT
                            toLowCardinality(project_id) AS project_id, retention_days, toLowCardinality(region) AS region,
                            rs.resource AS resource,
                            fromUnixTimestamp64Nano(reinterpretAsInt64(received_at), 'UTC') AS received_at,
                            rs.schema_url AS resource_schema_url, rs.scope_spans AS scopes,
                            toLowCardinality({resource:service.name}) AS service,
                            {resource:deployment.environment.name} AS environment_name,
                            toLowCardinality(if(environment_name != '', environment_name, {resource:deployment.environment})) AS environment
                        FROM otlp_inbox ARRAY JOIN resource_spans AS rs
                    )
                    ARRAY JOIN scopes AS scope_spans
                )
                ARRAY JOIN spans AS span
            )
        )
    )
);
