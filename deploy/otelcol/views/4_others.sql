-- The other tables of AgentGuard, over `otel.spans` and otel_traces.

-- Texts of 128 bytes and more, whole: once for each span that has them.
CREATE OR REPLACE VIEW otel.blobs AS
SELECT
    toLowCardinality('otel') AS project_id,
    TraceId AS trace_id,
    reinterpretAsUInt128(sipHash128(content)) AS hash,
    text.2 AS content,
    toTimeZone(Timestamp, 'UTC')::DateTime('UTC') AS received_at,
    toUInt16(0) AS retention_days
FROM otel.otel_traces
ARRAY JOIN arrayFilter(t -> length(t.2) >= 128, arrayZip(mapKeys(SpanAttributes), mapValues(SpanAttributes))) AS text;

CREATE OR REPLACE VIEW otel.sources AS
SELECT
    project_id, source_id, any(service) AS service, any(environment) AS environment,
    any(resource) AS resource_attributes,
    CAST([], 'Array(String)') AS resource_attribute_types,
    toUInt32(0) AS resource_dropped_attributes_count,
    CAST([], 'Array(String)') AS resource_entity_refs,
    '' AS resource_schema_url,
    any(ScopeName) AS scope_name,
    any(ScopeVersion) AS scope_version,
    CAST([], 'Array(String)') AS scope_attributes,
    toUInt32(0) AS scope_dropped_attributes_count,
    '' AS scope_schema_url,
    max(came) AS received_at,
    toUInt16(0) AS retention_days
FROM
(
    SELECT
        toLowCardinality('otel') AS project_id,
        ServiceName AS service,
        toLowCardinality(if(
            mapContains(ResourceAttributes, 'deployment.environment.name'),
            ResourceAttributes['deployment.environment.name'],
            ResourceAttributes['deployment.environment'])) AS environment,
        ResourceAttributes AS resource,
        ScopeName, ScopeVersion,
        toTimeZone(Timestamp, 'UTC') AS came,
        sipHash64(mapKeys(ResourceAttributes), mapValues(ResourceAttributes), ScopeName, ScopeVersion) AS source_id
    FROM otel.otel_traces
)
GROUP BY project_id, source_id;

CREATE OR REPLACE VIEW otel.traces AS
SELECT
    project_id, ts_hour, trace_id,
    min(s.start_time) AS start_time,
    max(s.end_time) AS end_time,
    maxIf(name::String, parent_span_id = '') AS root_name,
    min((s.start_time, s.name::String, s.service::String)::Tuple(start_time DateTime64(9, 'UTC'), name String, service String)) AS first_span,
    groupUniqArrayIf(service::String, service != '') AS services,
    max(s.environment::String) AS environment,
    groupUniqArrayIf(agent, agent != '') AS agents,
    groupUniqArrayIf(model, model != '' AND kind IN ('llm', 'embedding')) AS models,
    max(s.session) AS session,
    max(s.user) AS user,
    count() AS span_count,
    countIf(status = 'error') AS error_count,
    countIf(kind = 'llm') AS llm_calls,
    countIf(kind = 'tool') AS tool_calls,
    countIf(cost_source = 'unpriced') AS unpriced_calls,
    sum(s.input_tokens) AS input_tokens,
    sum(s.cache_read_tokens) AS cache_read_tokens,
    sum(s.cache_write_tokens) AS cache_write_tokens,
    sum(s.output_tokens) AS output_tokens,
    sum(s.reasoning_tokens) AS reasoning_tokens,
    sum(ifNull(s.cost, 0)) AS cost,
    max(s.stop_reason) AS stop_reason,
    maxIf((s.start_time, s.guard::String)::Tuple(start_time DateTime64(9, 'UTC'), guard String), guard_action = 'stop') AS stopped_by,
    toDateTime(0, 'UTC') AS expires_at
FROM otel.spans AS s
GROUP BY project_id, ts_hour, trace_id;

CREATE OR REPLACE VIEW otel.usage_hourly AS
SELECT
    project_id, ts_hour, service, environment, agent, provider, model, s.kind::String AS kind,
    count() AS span_count,
    countIf(status = 'error') AS error_count,
    countIf(cost_source = 'unpriced') AS unpriced_calls,
    sum(s.input_tokens) AS input_tokens,
    sum(s.cache_read_tokens) AS cache_read_tokens,
    sum(s.cache_write_tokens) AS cache_write_tokens,
    sum(s.output_tokens) AS output_tokens,
    sum(s.reasoning_tokens) AS reasoning_tokens,
    sum(ifNull(s.cost, 0)) AS cost
FROM otel.spans AS s
GROUP BY project_id, ts_hour, service, environment, agent, provider, model, kind;
