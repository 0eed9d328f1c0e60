-- One row per span, never changed. `ts_hour` is a real column and leads the key after the project:
-- every query filters on it, since a range on start_time alone prunes nothing. Partitions go by the
-- day of arrival, which no sender's clock can scatter. A wide part has two files for each of its
-- columns: too many for an INSERT, but larger merges then go column by column, in half the memory
-- and a fifth less time. The other tables have few columns, and gain nothing by it. Granules are of
-- 1024 rows: a trace or what is rare is then found among an eighth of the rows, in as many bytes.
CREATE TABLE IF NOT EXISTS {local:spans} {on_cluster}
(
    project_id LowCardinality(String),
    ts_hour DateTime('UTC') CODEC(Delta, ZSTD),
    trace_id String CODEC(ZSTD),
    span_id String CODEC(ZSTD),
    parent_span_id String CODEC(ZSTD),
    name LowCardinality(String),
    kind Enum8('other' = 0, 'llm' = 1, 'tool' = 2, 'agent' = 3, 'workflow' = 4, 'retrieval' = 5, 'embedding' = 6, 'guard' = 7),
    status Enum8('unset' = 0, 'ok' = 1, 'error' = 2),
    status_message String CODEC(ZSTD),
    start_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD),
    end_time DateTime64(9, 'UTC') CODEC(Delta, ZSTD),
    duration_ns UInt64 ALIAS greatest(reinterpretAsInt64(end_time) - reinterpretAsInt64(start_time), 0),
    service LowCardinality(String),
    environment LowCardinality(String),
    session String CODEC(ZSTD),
    user String CODEC(ZSTD),
    agent LowCardinality(String),
    tool LowCardinality(String),
    call_hash UInt64 COMMENT 'equal for calls of the same tool or model with the same input',
    provider LowCardinality(String),
    model LowCardinality(String),
    input_tokens UInt64 CODEC(T64, ZSTD) COMMENT 'the five counts are disjoint: they add up to what was billed',
    cache_read_tokens UInt64 CODEC(T64, ZSTD),
    cache_write_tokens UInt64 CODEC(T64, ZSTD),
    output_tokens UInt64 CODEC(T64, ZSTD),
    reasoning_tokens UInt64 CODEC(T64, ZSTD),
    cost Nullable(Decimal(38, 12)) CODEC(ZSTD) COMMENT 'US dollars; NULL where the model has no known price',
    cost_source Enum8('' = 0, 'price table' = 1, 'stated' = 2, 'reported' = 3, 'unpriced' = 4),
    price_version LowCardinality(String),
    guard LowCardinality(String),
    guard_action LowCardinality(String),
    stop_reason LowCardinality(String),
    source_id UInt64 CODEC(ZSTD) COMMENT 'the resource and scope, in the table sources',
    attributes Map(LowCardinality(String), String) CODEC(ZSTD) COMMENT 'as text; arrays, maps and bytes as their OTLP protobuf',
    attribute_types Array({any_value_kind}) CODEC(ZSTD) COMMENT 'of the last ones in attributes; those before are strings',
    content Nested(
        key LowCardinality(String),
        form UInt8,
        blobs Array(UInt128)) CODEC(ZSTD),
    events Nested(
        time_unix_nano UInt64,
        name LowCardinality(String),
        attributes Array(String),
        dropped_attributes_count UInt32) CODEC(ZSTD),
    links Nested(
        trace_id String,
        span_id String,
        trace_state String,
        attributes Array(String),
        dropped_attributes_count UInt32,
        flags UInt32) CODEC(ZSTD),
    span_kind Enum8('unspecified' = 0, 'internal' = 1, 'server' = 2, 'client' = 3, 'producer' = 4, 'consumer' = 5),
    trace_state String CODEC(ZSTD),
    flags UInt32,
    dropped_attributes_count UInt32,
    dropped_events_count UInt32,
    dropped_links_count UInt32,
    received_at DateTime64(9, 'UTC') CODEC(Delta, ZSTD),
    retention_days UInt16,
    region LowCardinality(String),
    said String MATERIALIZED {short_texts} CODEC(ZSTD) COMMENT 'the short contents in attributes: an index on them themselves is not found by queries',
    -- What is rare is found here; of what is common, a list's last hours hold enough.
    INDEX content_keys content.key TYPE bloom_filter(0.01),
    INDEX named (name, service, session, user, agent, tool, model, guard) TYPE bloom_filter(0.01),
    INDEX attribute_keys mapKeys(attributes) TYPE bloom_filter(0.01),
    INDEX attribute_values mapValues(attributes) TYPE bloom_filter(0.02),
    INDEX said_text said TYPE text(tokenizer = splitByNonAlpha, preprocessor = lower(said))
)
ENGINE = {engine:MergeTree}
PARTITION BY toDate(received_at)
ORDER BY (project_id, ts_hour, trace_id, start_time, span_id)
TTL toDateTime(received_at) + toIntervalDay(retention_days)
SETTINGS {kept_settings}, min_bytes_for_wide_part = 67108864, index_granularity = 1024;

-- Where spans came from: one row per distinct resource and scope, which spans name by `source_id`.
CREATE TABLE IF NOT EXISTS {local:sources} {on_cluster}
(
    project_id LowCardinality(String),
    source_id UInt64,
    service LowCardinality(String),
    environment LowCardinality(String),
    resource_attributes Map(LowCardinality(String), String) CODEC(ZSTD) COMMENT 'as in spans.attributes',
    resource_attribute_types Array({any_value_kind}),
    resource_dropped_attributes_count UInt32,
    resource_entity_refs Array(String),
    resource_schema_url LowCardinality(String),
    scope_name LowCardinality(String),
    scope_version LowCardinality(String),
    scope_attributes Array(String) COMMENT 'OTLP KeyValue protobufs',
    scope_dropped_attributes_count UInt32,
    scope_schema_url LowCardinality(String),
    received_at DateTime64(9, 'UTC'),
    retention_days UInt16
)
ENGINE = {engine:ReplacingMergeTree}(received_at)
ORDER BY (project_id, source_id)
TTL toDateTime(received_at) + toIntervalDay(retention_days)
SETTINGS {kept_settings}, min_bytes_for_wide_part = 536870912;

-- Contents of messages, prompts and results, each kept once per trace and found by its hash.
CREATE TABLE IF NOT EXISTS {local:blobs} {on_cluster}
(
    project_id LowCardinality(String),
    trace_id String CODEC(ZSTD),
    hash UInt128 CODEC(ZSTD),
    content String CODEC(ZSTD),
    received_at DateTime('UTC') CODEC(Delta, ZSTD),
    retention_days UInt16,
    INDEX content_text content TYPE text(tokenizer = splitByNonAlpha, preprocessor = lower(content))
)
ENGINE = {engine:ReplacingMergeTree}(received_at)
PARTITION BY toDate(received_at)
ORDER BY (project_id, trace_id, hash)
TTL received_at + toIntervalDay(retention_days)
SETTINGS {kept_settings}, min_bytes_for_wide_part = 536870912, index_granularity = 1024;

-- One row per trace and hour once merged: what lists of traces show. Read with GROUP BY trace_id.
CREATE TABLE IF NOT EXISTS {local:traces} {on_cluster}
(
    project_id LowCardinality(String),
    ts_hour DateTime('UTC'),
    trace_id String,
    start_time SimpleAggregateFunction(min, DateTime64(9, 'UTC')),
    end_time SimpleAggregateFunction(max, DateTime64(9, 'UTC')),
    root_name SimpleAggregateFunction(max, String) COMMENT 'empty until the root span has come',
    first_span SimpleAggregateFunction(min, Tuple(start_time DateTime64(9, 'UTC'), name String, service String)),
    services SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    environment SimpleAggregateFunction(max, String),
    agents SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    models SimpleAggregateFunction(groupUniqArrayArray, Array(String)),
    session SimpleAggregateFunction(max, String),
    user SimpleAggregateFunction(max, String),
    span_count SimpleAggregateFunction(sum, UInt64),
    error_count SimpleAggregateFunction(sum, UInt64),
    llm_calls SimpleAggregateFunction(sum, UInt64),
    tool_calls SimpleAggregateFunction(sum, UInt64),
    unpriced_calls SimpleAggregateFunction(sum, UInt64),
    input_tokens SimpleAggregateFunction(sum, UInt64),
    cache_read_tokens SimpleAggregateFunction(sum, UInt64),
    cache_write_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    reasoning_tokens SimpleAggregateFunction(sum, UInt64),
    cost SimpleAggregateFunction(sum, Decimal(38, 12)) COMMENT 'US dollars, of the priced calls',
    stop_reason SimpleAggregateFunction(max, String),
    stopped_by SimpleAggregateFunction(max, Tuple(start_time DateTime64(9, 'UTC'), guard String)),
    expires_at SimpleAggregateFunction(max, DateTime('UTC')),
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.001)
)
ENGINE = {engine:AggregatingMergeTree}
ORDER BY (project_id, ts_hour, trace_id)
TTL expires_at
SETTINGS {kept_settings}, min_bytes_for_wide_part = 536870912, index_granularity = 1024;

-- What was used and spent, by the hour a span started in.
CREATE TABLE IF NOT EXISTS {local:usage_hourly} {on_cluster}
(
    project_id LowCardinality(String),
    ts_hour DateTime('UTC'),
    service LowCardinality(String),
    environment LowCardinality(String),
    agent LowCardinality(String),
    provider LowCardinality(String),
    model LowCardinality(String),
    kind LowCardinality(String),
    span_count SimpleAggregateFunction(sum, UInt64),
    error_count SimpleAggregateFunction(sum, UInt64),
    unpriced_calls SimpleAggregateFunction(sum, UInt64),
    input_tokens SimpleAggregateFunction(sum, UInt64),
    cache_read_tokens SimpleAggregateFunction(sum, UInt64),
    cache_write_tokens SimpleAggregateFunction(sum, UInt64),
    output_tokens SimpleAggregateFunction(sum, UInt64),
    reasoning_tokens SimpleAggregateFunction(sum, UInt64),
    cost SimpleAggregateFunction(sum, Decimal(38, 12)),
    -- A month of costs by model: a hundredth of the rows.
    PROJECTION by_model
    (
        SELECT project_id, ts_hour, kind, provider, model,
            sum(span_count), sum(error_count), sum(unpriced_calls), sum(input_tokens),
            sum(cache_read_tokens), sum(cache_write_tokens), sum(output_tokens),
            sum(reasoning_tokens), sum(cost)
        GROUP BY project_id, ts_hour, kind, provider, model
    )
)
ENGINE = {engine:AggregatingMergeTree}
ORDER BY (project_id, ts_hour, service, environment, kind, provider, model, agent)
SETTINGS {kept_settings}, min_bytes_for_wide_part = 536870912,
    deduplicate_merge_projection_mode = 'rebuild';

-- The price list as `agentguard.prices` flattens it: which provider a name means, and what a
-- model's tokens cost. A new list takes the old one's place at once, so that views never see half of one:
-- of the prices, the list is one partition and the projects' own are the other.
CREATE TABLE IF NOT EXISTS provider_rules {on_cluster}
(
    version LowCardinality(String),
    field Enum8('provider' = 0, 'model' = 1),
    kind Enum8('exact' = 0, 'prefix' = 1, 'suffix' = 2, 'contains' = 3, 'regex' = 4),
    pattern String,
    regex String,
    unless String,
    provider LowCardinality(String),
    priority Int64
)
ENGINE = {everywhere:MergeTree}
ORDER BY (field, priority);

CREATE TABLE IF NOT EXISTS price_rules {on_cluster}
(
    project_id LowCardinality(String) COMMENT 'empty: the list, for all',
    version LowCardinality(String),
    provider LowCardinality(String) COMMENT 'empty: any',
    kind Enum8('exact' = 0, 'prefix' = 1, 'suffix' = 2, 'contains' = 3, 'regex' = 4),
    pattern String,
    regex String,
    unless String,
    priority Int64 COMMENT 'the lowest that matches and is in force wins',
    start_date Date,
    from_second UInt32,
    until_second UInt32,
    tier_starts Array(UInt64),
    input Array(UInt64) COMMENT 'pico-dollars per token, by tier; so are the next four',
    cache_read Array(UInt64),
    cache_write Array(UInt64),
    output Array(UInt64),
    reasoning Array(UInt64),
    per_request UInt64 COMMENT 'pico-dollars',
    priced Bool
)
ENGINE = {everywhere:MergeTree}
PARTITION BY project_id = ''
ORDER BY (provider, priority);
