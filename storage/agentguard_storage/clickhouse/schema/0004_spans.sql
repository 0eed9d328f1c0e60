-- From exports to spans, in steps. Each step is a view of its own because ClickHouse analyses a
-- view's query anew at every insert, and nested queries cost it far more than views in a row: 67 ms
-- instead of 171 on two busy cores. Within a step, a subquery computes once what is used many times:
-- an alias would be computed anew at every use. A lambda is given arrays as arguments, since one it
-- captured would be copied for every element.

-- Step 1, otlp_attributes: a row per span, its attributes' keys looked up in the vocabulary and
-- sorted by what is done with them. A text of 128 bytes or more leaves the row for `blobs`. Agents
-- resend their whole history on each turn, so it is cut where one message ends and the next begins,
-- and each message is kept once. `forms` says how to put it together again, to the letter:
-- (form & 3): pieces joined by nothing (0), '},{{"role"' (1) or '}}, {{"role"' (2); (form & 4): '}}]' follows.
CREATE TABLE IF NOT EXISTS otlp_attributes {on_cluster}
(
    project_id LowCardinality(String),
    received_at DateTime64(9, 'UTC'),
    retention_days UInt16,
    region LowCardinality(String),
    service LowCardinality(String),
    environment LowCardinality(String),
    scope_name String,
    source_id UInt64,
    span_trace_id String,
    span_span_id String,
    span_trace_state String,
    span_parent_span_id String,
    span_name String,
    span_kind Int32,
    span_start_time_unix_nano UInt64,
    span_end_time_unix_nano UInt64,
    span_dropped_attributes_count UInt32,
    span_events_time_unix_nano Array(UInt64),
    span_events_name Array(String),
    span_events_attributes Array(Array(String)),
    span_events_dropped_attributes_count Array(UInt32),
    span_dropped_events_count UInt32,
    span_links_trace_id Array(String),
    span_links_span_id Array(String),
    span_links_trace_state Array(String),
    span_links_attributes Array(Array(String)),
    span_links_dropped_attributes_count Array(UInt32),
    span_links_flags Array(UInt32),
    span_dropped_links_count UInt32,
    span_status_message String,
    span_status_code Int32,
    span_flags UInt32,
    other_types Array({any_value_kind}),
    other_keys Array(String),
    other_codes Array(UInt8),
    short_keys Array(String),
    short_strings Array(String),
    long_keys Array(String),
    forms Array(UInt16),
    trimmed Array(String),
    openinference_kind String,
    operation String,
    traceloop_kind String,
    request_type String,
    request_model String,
    response_model String,
    entity String,
    user String,
    arguments String,
    input String,
    guard String,
    guard_action String,
    stop_reason String,
    session_id String,
    associated_session String,
    agent_name String,
    graph_node String,
    tool_name String,
    provider_name String,
    system String,
    invocation_parameters String,
    count_codes Array(UInt8),
    counts Array(Int64),
    other_texts Array(String)
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_attributes_from_scopes {on_cluster} TO otlp_attributes AS
SELECT
    * EXCEPT (keys, types, strings, ints, doubles, bools, arrays, kvlists, byte_strings, codes, lengths, is_count, long_strings),
    arrayMap((s, f) -> substring(s, 1, length(s) - if(f >= 4, 2, 0)), long_strings, forms) AS trimmed,
    strings[indexOf(codes, {code:openinference_kind})] AS openinference_kind,
    strings[indexOf(codes, {code:operation})] AS operation,
    strings[indexOf(codes, {code:traceloop_kind})] AS traceloop_kind,
    strings[indexOf(codes, {code:request_type})] AS request_type,
    strings[indexOf(codes, {code:request_model})] AS request_model,
    strings[indexOf(codes, {code:response_model})] AS response_model,
    strings[indexOf(codes, {code:entity})] AS entity,
    strings[indexOf(codes, {code:user})] AS user,
    strings[indexOf(codes, {code:tool_arguments})] AS arguments,
    strings[indexOf(codes, {code:input})] AS input,
    strings[indexOf(codes, {code:guard})] AS guard,
    strings[indexOf(codes, {code:guard_action})] AS guard_action,
    strings[indexOf(codes, {code:stop_reason})] AS stop_reason,
    strings[indexOf(codes, {code:session})] AS session_id,
    strings[indexOf(codes, {code:associated_session})] AS associated_session,
    strings[indexOf(codes, {code:agent})] AS agent_name,
    strings[indexOf(codes, {code:graph_node})] AS graph_node,
    strings[indexOf(codes, {code:tool})] AS tool_name,
    strings[indexOf(codes, {code:provider})] AS provider_name,
    strings[indexOf(codes, {code:system})] AS system,
    strings[indexOf(codes, {code:invocation_parameters})] AS invocation_parameters,
    arrayFilter((c, y) -> y, codes, is_count) AS count_codes,
    arrayMap((t, i, d, s) -> toInt64(greatest(0, least(1e10, multiIf(
        t = 'int', toFloat64(i), t = 'double', if(isNaN(d), 0, d), t = 'string', toFloat64OrZero(s), 0)))),
        arrayFilter((t, y) -> y, types, is_count),
        arrayFilter((i, y) -> y, ints, is_count),
        arrayFilter((d, y) -> y, doubles, is_count),
        arrayFilter((s, y) -> y, strings, is_count)) AS counts,
    arrayMap((t, i, d, b, a, l, y) -> multiIf(
        t = 'int', toString(i), t = 'double', toString(d), t = 'bool', if(b, 'true', 'false'),
        t = 'array', a, t = 'kvlist', l, y),
        other_types,
        arrayFilter((i, t) -> t != 'string', ints, types),
        arrayFilter((d, t) -> t != 'string', doubles, types),
        arrayFilter((b, t) -> t != 'string', bools, types),
        arrayFilter((a, t) -> t != 'string', arrays, types),
        arrayFilter((l, t) -> t != 'string', kvlists, types),
        arrayFilter((v, t) -> t != 'string', byte_strings, types)) AS other_texts
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
            project_id, received_at, retention_days, region, service, environment, scope_name, source_id,
            span_trace_id, span_span_id, span_trace_state, span_parent_span_id, span_name, span_kind,
            span_start_time_unix_nano, span_end_time_unix_nano, keys, types, strings, bools, ints,
            doubles, arrays, kvlists, byte_strings, span_dropped_attributes_count,
            span_events_time_unix_nano, span_events_name, span_events_attributes,
            span_events_dropped_attributes_count, span_dropped_events_count, span_links_trace_id,
            span_links_span_id, span_links_trace_state, span_links_attributes,
            span_links_dropped_attributes_count, span_links_flags, span_dropped_links_count,
            span_status_message, span_status_code, span_flags,
            arrayMap(k -> transform(k, {known_keys}, {known_codes}, toUInt8(0)), keys) AS codes,
            arrayMap((t, s) -> toUInt8(t = 'string') + (length(s) >= 128), types, strings) AS lengths
        FROM otlp_scopes
        ARRAY JOIN
            spans_trace_id AS span_trace_id, spans_id AS span_span_id,
            spans_trace_state AS span_trace_state, spans_parent_id AS span_parent_span_id,
            spans_name AS span_name, spans_kind AS span_kind,
            spans_start_time_unix_nano AS span_start_time_unix_nano,
            spans_end_time_unix_nano AS span_end_time_unix_nano, spans_keys AS keys,
            spans_types AS types, spans_strings AS strings, spans_bools AS bools, spans_ints AS ints,
            spans_doubles AS doubles, spans_arrays AS arrays, spans_kvlists AS kvlists,
            spans_byte_strings AS byte_strings,
            spans_dropped_attributes_count AS span_dropped_attributes_count,
            spans_events_time_unix_nano AS span_events_time_unix_nano,
            spans_events_name AS span_events_name, spans_events_attributes AS span_events_attributes,
            spans_events_dropped_attributes_count AS span_events_dropped_attributes_count,
            spans_dropped_events_count AS span_dropped_events_count,
            spans_links_trace_id AS span_links_trace_id, spans_links_id AS span_links_span_id,
            spans_links_trace_state AS span_links_trace_state,
            spans_links_attributes AS span_links_attributes,
            spans_links_dropped_attributes_count AS span_links_dropped_attributes_count,
            spans_links_flags AS span_links_flags, spans_dropped_links_count AS span_dropped_links_count,
            spans_status_message AS span_status_message, spans_status_code AS span_status_code,
            spans_flags AS span_flags
    )
);

-- Step 2, otlp_fields: what the span says, under the vocabulary's own names.
CREATE TABLE IF NOT EXISTS otlp_fields {on_cluster}
(
    project_id LowCardinality(String),
    received_at DateTime64(9, 'UTC'),
    retention_days UInt16,
    region LowCardinality(String),
    service LowCardinality(String),
    environment LowCardinality(String),
    source_id UInt64,
    scope_name String,
    trace_id String,
    span_id String,
    parent_span_id String,
    name String,
    span_kind Int32,
    status Int32,
    status_message String,
    start_time DateTime64(9, 'UTC'),
    end_time DateTime64(9, 'UTC'),
    kind String,
    said_input Int64,
    said_output Int64,
    said_read Int64,
    said_write Int64,
    said_reasoning Int64,
    said_total Int64,
    said_cached Int64,
    said_both Int64,
    said_stated_cost String,
    said_reported_cost String,
    session String,
    agent String,
    tool String,
    provider String,
    model String,
    user String,
    arguments String,
    input String,
    guard String,
    guard_action String,
    stop_reason String,
    attributes Map(String, String),
    attribute_types Array({any_value_kind}),
    `content.key` Array(String),
    `content.form` Array(UInt16),
    `content.pieces` Array(Array(String)),
    `events.time_unix_nano` Array(UInt64),
    `events.name` Array(String),
    `events.attributes` Array(Array(String)),
    `events.dropped_attributes_count` Array(UInt32),
    `links.trace_id` Array(String),
    `links.span_id` Array(String),
    `links.trace_state` Array(String),
    `links.attributes` Array(Array(String)),
    `links.dropped_attributes_count` Array(UInt32),
    `links.flags` Array(UInt32),
    trace_state String,
    flags UInt32,
    dropped_attributes_count UInt32,
    dropped_events_count UInt32,
    dropped_links_count UInt32
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_fields_from_attributes {on_cluster} TO otlp_fields AS
SELECT
    project_id, received_at, retention_days, region, service, environment, source_id, scope_name,
    lower(hex(span_trace_id)) AS trace_id,
    lower(hex(span_span_id)) AS span_id,
    if(span_parent_span_id = unhex('0000000000000000'), '', lower(hex(span_parent_span_id))) AS parent_span_id,
    span_name AS name,
    if(span_kind BETWEEN 0 AND 5, span_kind, 0) AS span_kind,
    if(span_status_code BETWEEN 0 AND 2, span_status_code, 0) AS status,
    span_status_message AS status_message,
    fromUnixTimestamp64Nano(reinterpretAsInt64(span_start_time_unix_nano), 'UTC') AS start_time,
    fromUnixTimestamp64Nano(reinterpretAsInt64(span_end_time_unix_nano), 'UTC') AS end_time,
    multiIf(
        openinference_kind != '', transform(openinference_kind,
            ['LLM', 'DECISION', 'EMBEDDING', 'RETRIEVER', 'RERANKER', 'TOOL', 'AGENT', 'CHAIN', 'GUARDRAIL'],
            ['llm', 'llm', 'embedding', 'retrieval', 'retrieval', 'tool', 'agent', 'workflow', 'guard'], 'other'),
        operation != '', transform(operation,
            ['chat', 'text_completion', 'generate_content', 'responses', 'completion', 'llm_request', 'embeddings', 'retrieval', 'vector_db_retrieve', 'execute_tool', 'invoke_agent', 'create_agent', 'invoke_workflow', 'execute_task', 'guardrail.run', 'guard'],
            ['llm', 'llm', 'llm', 'llm', 'llm', 'llm', 'embedding', 'retrieval', 'retrieval', 'tool', 'agent', 'agent', 'workflow', 'workflow', 'guard', 'guard'],
            if(request_model != '', 'llm', 'other')),
        traceloop_kind != '', transform(traceloop_kind,
            ['workflow', 'task', 'agent', 'tool'], ['workflow', 'workflow', 'agent', 'tool'], 'other'),
        request_type != '', transform(request_type,
            ['chat', 'completion', 'embedding', 'rerank'], ['llm', 'llm', 'embedding', 'retrieval'], 'other'),
        request_model != '' AND has(count_codes, {code:input_tokens}), 'llm',
        has(short_keys, 'agentguard.task.name'), 'workflow',
        -- Last: the root span of a run that was stopped names the guard as well.
        guard != '', 'guard',
        'other') AS kind,
    counts[indexOf(count_codes, {code:input_tokens})] AS said_input,
    counts[indexOf(count_codes, {code:output_tokens})] AS said_output,
    counts[indexOf(count_codes, {code:cache_read_tokens})] AS said_read,
    counts[indexOf(count_codes, {code:cache_write_tokens})] AS said_write,
    counts[indexOf(count_codes, {code:reasoning_tokens})] AS said_reasoning,
    counts[indexOf(count_codes, {code:total_tokens})] AS said_total,
    said_read + said_write AS said_cached,
    said_input + said_output AS said_both,
    other_texts[indexOf(other_codes, {code:stated_cost})] AS said_stated_cost,
    other_texts[indexOf(other_codes, {code:reported_cost})] AS said_reported_cost,
    if(session_id != '', session_id, associated_session) AS session,
    multiIf(agent_name != '', agent_name, graph_node != '', graph_node,
        traceloop_kind = 'agent', entity, openinference_kind = 'AGENT', span_name, '') AS agent,
    multiIf(kind != 'tool', '', tool_name != '', tool_name, entity != '', entity, span_name) AS tool,
    lower(if(provider_name != '', provider_name, system)) AS provider,
    multiIf(response_model != '', response_model, request_model != '', request_model,
        JSONExtractString(invocation_parameters, 'model')) AS model,
    user, arguments, input, guard, guard_action, stop_reason,
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
    span_events_time_unix_nano AS `events.time_unix_nano`,
    span_events_name AS `events.name`,
    span_events_attributes AS `events.attributes`,
    span_events_dropped_attributes_count AS `events.dropped_attributes_count`,
    span_links_trace_id AS `links.trace_id`,
    span_links_span_id AS `links.span_id`,
    span_links_trace_state AS `links.trace_state`,
    span_links_attributes AS `links.attributes`,
    span_links_dropped_attributes_count AS `links.dropped_attributes_count`,
    span_links_flags AS `links.flags`,
    span_trace_state AS trace_state,
    span_flags AS flags,
    span_dropped_attributes_count AS dropped_attributes_count,
    span_dropped_events_count AS dropped_events_count,
    span_dropped_links_count AS dropped_links_count
FROM
otlp_attributes;

-- Step 3, otlp_spans: what the tables keep.
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

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_spans_from_fields {on_cluster} TO otlp_spans AS
SELECT
    * EXCEPT (said_input, said_output, said_read, said_write, said_reasoning, said_total, said_cached, said_both,
        said_stated_cost, said_reported_cost, scope_name, arguments, input, cache_apart, hidden_reasoning, counted),
    multiIf(kind = 'tool', cityHash64(tool, arguments), kind = 'llm', cityHash64(model, input), 0) AS call_hash,
    if(counted, greatest(0, if(cache_apart, said_input, said_input - said_cached)), 0) AS input_tokens,
    if(counted, said_read, 0) AS cache_read_tokens,
    if(counted, said_write, 0) AS cache_write_tokens,
    if(counted, greatest(0, said_output - if(
        hidden_reasoning > 0
            OR said_reasoning > said_output
            OR (said_total > 0 AND said_total IN (
                said_both + said_reasoning, if(cache_apart, said_both + said_cached + said_reasoning, 0))),
        0, said_reasoning)), 0) AS output_tokens,
    if(counted, said_reasoning + hidden_reasoning, 0) AS reasoning_tokens,
    if(counted, toDecimal128OrNull(said_stated_cost, 12), NULL) AS stated_cost,
    if(counted, toDecimal128OrNull(said_reported_cost, 12), NULL) AS reported_cost
FROM
(
    SELECT
        *,
        -- Agent and workflow spans repeat what their children used; only model calls are counted.
        kind IN ('llm', 'embedding') AS counted,
        -- The conventions count cached tokens into the input and reasoning into the output; raw
        -- Anthropic usage does not, nor does Gemini's with its thoughts. A total tells which it is,
        -- and so does a part that is larger than its whole.
        said_cached > said_input
            OR (said_total > 0 AND said_cached > 0
                AND said_total IN (said_both + said_cached, said_both + said_cached + said_reasoning))
            OR startsWith(scope_name, 'opentelemetry.instrumentation.bedrock') AS cache_apart,
        if(said_reasoning = 0 AND said_total > said_both
            AND provider IN ('gcp.gen_ai', 'gcp.gemini', 'gcp.vertex_ai', 'google', 'gemini', 'vertexai'),
            said_total - said_both, 0) AS hidden_reasoning
    FROM
    otlp_fields
);
