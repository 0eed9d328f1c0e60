-- From exports to spans, in steps. Each step is a view of its own because ClickHouse analyses a
-- view's query anew at every insert, and nested queries cost it more than views in a row. What it
-- costs grows with the columns of each step: a span is carried whole, as one tuple, and opened where
-- it is kept, and what is used once is looked up where it is used. `tupleElement(span, 'name')` is
-- written out since `span.name` would be analysed as a column of its own. A lambda is given arrays
-- as arguments, since one it captured would be copied for every element.

-- Step 1, otlp_attributes: a row per span, its attributes' keys looked up in the vocabulary and
-- sorted by what is done with them: `said` are the texts whose key has a code, `other` all that is no
-- text. A text of 128 bytes or more is `long` and leaves the row for `blobs`.
CREATE TABLE IF NOT EXISTS otlp_attributes {on_cluster}
(
    project_id LowCardinality(String),
    received_at DateTime64(9, 'UTC'),
    retention_days UInt16,
    region LowCardinality(String),
    service LowCardinality(String),
    environment LowCardinality(String),
    source_id UInt64,
    scope_name String,
    span {span},
    said_codes Array(UInt8),
    said_texts Array(String),
    other_codes Array(UInt8),
    other_keys Array(String),
    other_types Array(Int8),
    other_values Array(String),
    short_keys Array(String),
    short_texts Array(String),
    long_keys Array(String),
    long_texts Array(String)
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_attributes_from_scopes {on_cluster} TO otlp_attributes AS
SELECT
    project_id, received_at, retention_days, region, service, environment, source_id, scope_name, span,
    arrayFilter((c, t) -> c > 0 AND t = {kind:string}, codes, types) AS said_codes,
    arrayMap(v -> {text_of:v}, arrayFilter((v, c, t) -> c > 0 AND t = {kind:string}, values, codes, types)) AS said_texts,
    arrayFilter((c, t) -> t != {kind:string}, codes, types) AS other_codes,
    arrayFilter((k, t) -> t != {kind:string}, keys, types) AS other_keys,
    arrayFilter(t -> t != {kind:string}, types) AS other_types,
    arrayFilter((v, t) -> t != {kind:string}, values, types) AS other_values,
    arrayFilter((k, t, h) -> t = {kind:string} AND h < 0x8000, keys, types, heads) AS short_keys,
    arrayMap(v -> substring(v, 3), arrayFilter((v, t, h) -> t = {kind:string} AND h < 0x8000, values, types, heads)) AS short_texts,
    arrayFilter((k, t, h) -> t = {kind:string} AND h >= 0x8000, keys, types, heads) AS long_keys,
    arrayMap(v -> {text_of:v}, arrayFilter((v, t, h) -> t = {kind:string} AND h >= 0x8000, values, types, heads)) AS long_texts
FROM
(
    SELECT
        project_id, received_at, retention_days, region, service, environment, source_id,
        tupleElement(scope, 'name') AS scope_name, span,
        tupleElement(tupleElement(span, 'attributes'), 'key') AS keys,
        tupleElement(tupleElement(span, 'attributes'), 'value') AS values,
        arrayMap(k -> transform(k, {known_keys}, {known_codes}, 0), keys) AS codes,
        arrayMap(v -> {head_of:v}, values) AS heads,
        arrayMap(h -> {kind_of:h}, heads) AS types
    FROM otlp_scopes
    ARRAY JOIN spans AS span
);

-- Step 2, otlp_fields: what the span says, under the vocabulary's own names, and its long texts in
-- pieces. Agents resend their whole history on each turn, so it is cut where one message ends and
-- the next begins, and each message is kept once. The form says how to put it together again, to the
-- letter: (form & 3): pieces joined by nothing (0), '}},{{"role"' (1) or '}}, {{"role"' (2),
-- (form & 4): '}}]' follows.
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
    span {span},
    kind String,
    said_codes Array(UInt8),
    said_texts Array(String),
    said_input Int64,
    said_output Int64,
    said_read Int64,
    said_write Int64,
    said_reasoning Int64,
    said_total Int64,
    said_stated_cost String,
    said_reported_cost String,
    agent String,
    tool String,
    provider String,
    model String,
    attributes Map(String, String),
    attribute_types Array(Int8),
    content_keys Array(String),
    content_forms Array(UInt16),
    content_pieces Array(Array(String))
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_fields_from_attributes {on_cluster} TO otlp_fields AS
WITH
    said_texts[indexOf(said_codes, {code:openinference_kind})] AS openinference_kind,
    said_texts[indexOf(said_codes, {code:operation})] AS operation,
    said_texts[indexOf(said_codes, {code:traceloop_kind})] AS traceloop_kind,
    said_texts[indexOf(said_codes, {code:request_type})] AS request_type,
    said_texts[indexOf(said_codes, {code:request_model})] AS request_model,
    said_texts[indexOf(said_codes, {code:response_model})] AS response_model,
    said_texts[indexOf(said_codes, {code:entity})] AS entity,
    said_texts[indexOf(said_codes, {code:agent})] AS agent_name,
    said_texts[indexOf(said_codes, {code:graph_node})] AS graph_node,
    said_texts[indexOf(said_codes, {code:tool})] AS tool_name,
    said_texts[indexOf(said_codes, {code:provider})] AS provider_name
SELECT
    project_id, received_at, retention_days, region, service, environment, source_id, scope_name, span,
    multiIf(
        -- It stands around a model span that has the same tokens and cost. (A bool of true.)
        other_values[indexOf(other_codes, {code:wraps_model_call})] = '\x10\x01', 'workflow',
        openinference_kind != '', transform(openinference_kind,
            ['LLM', 'DECISION', 'EMBEDDING', 'RETRIEVER', 'RERANKER', 'TOOL', 'AGENT', 'CHAIN', 'GUARDRAIL'],
            ['llm', 'llm', 'embedding', 'retrieval', 'retrieval', 'tool', 'agent', 'workflow', 'guard'], 'other'),
        operation != '', transform(operation,
            ['chat', 'text_completion', 'generate_content', 'responses', 'completion', 'llm_request', 'embeddings', 'retrieval', 'vector_db_retrieve', 'execute_tool', 'invoke_agent', 'create_agent', 'invoke_workflow', 'execute_task', 'guardrail.run', 'guard'],
            ['llm', 'llm', 'llm', 'llm', 'llm', 'llm', 'embedding', 'retrieval', 'retrieval', 'tool', 'agent', 'agent', 'workflow', 'workflow', 'guard', 'guard'],
            if(request_model != '', 'llm', 'other')),
        -- After the operation: the root span of a run that a guard stopped names the guard too.
        said_texts[indexOf(said_codes, {code:guard})] != '', 'guard',
        traceloop_kind != '', transform(traceloop_kind,
            ['workflow', 'task', 'agent', 'tool'], ['workflow', 'workflow', 'agent', 'tool'], 'other'),
        request_type != '', transform(request_type,
            ['chat', 'completion', 'embedding', 'rerank'], ['llm', 'llm', 'embedding', 'retrieval'], 'other'),
        request_model != '' AND has(count_codes, {code:input_tokens}), 'llm',
        has(short_keys, 'agentguard.task.name'), 'workflow',
        'other') AS kind,
    said_codes, said_texts,
    counts[indexOf(count_codes, {code:input_tokens})] AS said_input,
    counts[indexOf(count_codes, {code:output_tokens})] AS said_output,
    counts[indexOf(count_codes, {code:cache_read_tokens})] AS said_read,
    counts[indexOf(count_codes, {code:cache_write_tokens})] AS said_write,
    counts[indexOf(count_codes, {code:reasoning_tokens})] AS said_reasoning,
    counts[indexOf(count_codes, {code:total_tokens})] AS said_total,
    other_texts[indexOf(other_codes, {code:stated_cost})] AS said_stated_cost,
    other_texts[indexOf(other_codes, {code:reported_cost})] AS said_reported_cost,
    multiIf(agent_name != '', agent_name, graph_node != '', graph_node,
        traceloop_kind = 'agent', entity, openinference_kind = 'AGENT', tupleElement(span, 'name'), '') AS agent,
    multiIf(kind != 'tool', '', tool_name != '', tool_name, entity != '', entity, tupleElement(span, 'name')) AS tool,
    lower(if(provider_name != '', provider_name, said_texts[indexOf(said_codes, {code:system})])) AS provider,
    multiIf(response_model != '', response_model, request_model != '', request_model,
        JSONExtractString(said_texts[indexOf(said_codes, {code:invocation_parameters})], 'model')) AS model,
    mapFromArrays(arrayConcat(short_keys, other_keys), arrayConcat(short_texts, other_texts)) AS attributes,
    other_types AS attribute_types,
    arrayConcat(
        arrayFilter((k, f) -> bitAnd(f, 3) = 0, long_keys, forms),
        arrayFilter((k, f) -> bitAnd(f, 3) = 1, long_keys, forms),
        arrayFilter((k, f) -> bitAnd(f, 3) = 2, long_keys, forms)) AS content_keys,
    arrayConcat(
        arrayFilter(f -> bitAnd(f, 3) = 0, forms),
        arrayFilter(f -> bitAnd(f, 3) = 1, forms),
        arrayFilter(f -> bitAnd(f, 3) = 2, forms)) AS content_forms,
    arrayConcat(
        arrayMap(s -> [s], arrayFilter((s, f) -> bitAnd(f, 3) = 0, trimmed, forms)),
        arrayMap(s -> splitByString('}},{{"role"', s), arrayFilter((s, f) -> bitAnd(f, 3) = 1, trimmed, forms)),
        arrayMap(s -> splitByString('}}, {{"role"', s), arrayFilter((s, f) -> bitAnd(f, 3) = 2, trimmed, forms))) AS content_pieces
FROM
(
    SELECT
        *,
        arrayConcat(
            arrayFilter(c -> c BETWEEN 1 AND {last_token_code}, other_codes),
            arrayFilter(c -> c <= {last_token_code}, said_codes)) AS count_codes,
        arrayMap(s -> toInt64(greatest(0, least(1e10, toFloat64OrZero(replaceOne(s, 'nan', ''))))), arrayConcat(
            arrayFilter((s, c) -> c BETWEEN 1 AND {last_token_code}, other_texts, other_codes),
            arrayFilter((s, c) -> c <= {last_token_code}, said_texts, said_codes))) AS counts,
        arrayMap((s, f) -> substring(s, 1, length(s) - if(f >= 4, 2, 0)), long_texts, forms) AS trimmed
    FROM
    (
        SELECT
            *,
            {texts_of_others} AS other_texts,
            arrayMap(s -> multiIf(
                position(s, '}},{{"role"') > 0, 1,
                position(s, '}}, {{"role"') > 0, 2, 0) + if(endsWith(s, '}}]'), 4, 0), long_texts) AS forms
        FROM otlp_attributes
    )
);

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
    span {span},
    trace_id String,
    start_time DateTime64(9, 'UTC'),
    kind Enum8('other' = 0, 'llm' = 1, 'tool' = 2, 'agent' = 3, 'workflow' = 4, 'retrieval' = 5, 'embedding' = 6, 'guard' = 7),
    said_codes Array(UInt8),
    said_texts Array(String),
    agent String,
    tool String,
    provider LowCardinality(String),
    model LowCardinality(String),
    input_tokens UInt64,
    cache_read_tokens UInt64,
    cache_write_tokens UInt64,
    output_tokens UInt64,
    reasoning_tokens UInt64,
    stated_cost Nullable(Decimal(38, 12)),
    reported_cost Nullable(Decimal(38, 12)),
    attributes Map(LowCardinality(String), String),
    attribute_types Array({any_value_kind}),
    content_keys Array(LowCardinality(String)),
    content_forms Array(UInt8),
    content_pieces Array(Array(String))
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_spans_from_fields {on_cluster} TO otlp_spans AS
SELECT
    project_id, received_at, retention_days, region, service, environment, source_id, span,
    lower(hex(tupleElement(span, 'trace_id'))) AS trace_id,
    fromUnixTimestamp64Nano(reinterpretAsInt64(tupleElement(span, 'start_time_unix_nano')), 'UTC') AS start_time,
    kind, said_codes, said_texts, agent, tool, provider, model,
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
    if(counted, toDecimal128OrNull(said_reported_cost, 12), NULL) AS reported_cost,
    attributes, attribute_types, content_keys, content_forms, content_pieces
FROM
(
    SELECT
        *,
        said_read + said_write AS said_cached,
        said_input + said_output AS said_both,
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
    FROM otlp_fields
);
