-- Prices one block of spans: its distinct models are matched against the price list, as
-- `agentguard.prices.table` does it. Prices change at quarter hours at most, so a quarter is enough
-- of the time. Regular expressions have a column of their own, so that no other pattern is ever
-- compiled as one.
CREATE MATERIALIZED VIEW IF NOT EXISTS spans_from_otlp_spans {on_cluster} TO {local:spans} AS
WITH
    input_tokens + cache_read_tokens + cache_write_tokens AS all_input,
    1 + arrayCount(s -> all_input > s, p.tier_starts) AS tier,
    kind IN ('llm', 'embedding') AS counted,
    toInt128(input_tokens) * p.input[tier] + toInt128(cache_read_tokens) * p.cache_read[tier]
        + toInt128(cache_write_tokens) * p.cache_write[tier] + toInt128(output_tokens) * p.output[tier]
        + toInt128(reasoning_tokens) * p.reasoning[tier] + p.per_request AS pico_dollars
SELECT
    project_id, toStartOfHour(toDateTime(greatest(0, least(4294960000, intDiv(toUnixTimestamp64Nano(start_time), 1000000000))), 'UTC')) AS ts_hour,
    trace_id, span_id, parent_span_id, name, kind, status, status_message, start_time, end_time,
    service, environment, session, user, agent, tool, call_hash, provider, model,
    input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    multiIf(
        stated_cost IS NOT NULL, stated_cost,
        counted AND p.priced, toDecimal128(pico_dollars, 0) * toDecimal128('0.000000000001', 12),
        reported_cost) AS cost,
    multiIf(NOT counted, '', stated_cost IS NOT NULL, 'stated', p.priced, 'price table',
        reported_cost IS NOT NULL, 'reported', 'unpriced') AS cost_source,
    if(cost_source = 'price table', p.version, '') AS price_version,
    guard, guard_action, stop_reason, source_id, attributes, attribute_types,
    content.key AS `content.key`,
    content.form AS `content.form`,
    arrayMap(pieces -> arrayMap(piece -> reinterpretAsUInt128(sipHash128(piece)), pieces), content.pieces) AS `content.blobs`,
    events.time_unix_nano AS `events.time_unix_nano`, events.name AS `events.name`,
    events.attributes AS `events.attributes`, events.dropped_attributes_count AS `events.dropped_attributes_count`,
    links.trace_id AS `links.trace_id`, links.span_id AS `links.span_id`, links.trace_state AS `links.trace_state`,
    links.attributes AS `links.attributes`, links.dropped_attributes_count AS `links.dropped_attributes_count`,
    links.flags AS `links.flags`,
    span_kind, trace_state, flags, dropped_attributes_count, dropped_events_count, dropped_links_count,
    received_at, retention_days, region
FROM otlp_spans AS s
LEFT JOIN
(
    SELECT said_provider, said_model, quarter,
        argMin((version, tier_starts, input, cache_read, cache_write, output, reasoning, per_request, priced)
            ::Tuple(version String, tier_starts Array(UInt64), input Array(UInt64), cache_read Array(UInt64), cache_write Array(UInt64), output Array(UInt64), reasoning Array(UInt64), per_request UInt64, priced Bool),
            priority + if({match:model_name}, 0, 1073741824)) AS best,
        best.version AS version, best.tier_starts AS tier_starts, best.input AS input, best.cache_read AS cache_read,
        best.cache_write AS cache_write, best.output AS output, best.reasoning AS reasoning,
        best.per_request AS per_request, best.priced AS priced
    FROM
    (
        SELECT said_provider, said_model, quarter,
            multiIf(by_name_hits = 0, any(name), by_name != '', by_name, by_prefix != '', by_prefix, by_model) AS provider_id,
            if(by_name_hits > 0 AND by_name = '' AND by_prefix != '', any(rest), any(lower_model)) AS model_name,
            replaceRegexpAll(model_name, '-(20\\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\\d|3[01])(-|:|$)', '-\\1-\\2-\\3\\4') AS dated_name,
            countIf(by_field) AS by_name_hits,
            argMinIf(provider, priority, by_field) AS by_name,
            argMinIf(provider, priority, field = 'provider' AND prefix != '' AND {match:prefix}) AS by_prefix,
            argMinIf(provider, priority, field = 'model' AND {match:lower_model}) AS by_model
        FROM
        (
            SELECT *, field = 'provider' AND {match:name} AS by_field
            FROM
            (
                SELECT DISTINCT provider AS said_provider, model AS said_model, toStartOfFifteenMinutes(start_time) AS quarter,
                    trimBoth(lowerUTF8(provider)) AS name, lowerUTF8(model) AS lower_model,
                    if(position(lower_model, '/') > 0, substringIndex(lower_model, '/', 1), '') AS prefix,
                    substring(lower_model, length(prefix) + 2) AS rest
                FROM otlp_spans
                WHERE kind IN ('llm', 'embedding')
            ) AS said
            CROSS JOIN (SELECT * FROM provider_rules WHERE version = (SELECT argMax(version, loaded_at) FROM price_version)) AS provider_rule
        )
        GROUP BY said_provider, said_model, quarter
    ) AS named
    CROSS JOIN (SELECT * FROM price_rules WHERE version = (SELECT argMax(version, loaded_at) FROM price_version)) AS rule
    WHERE rule.provider IN ('', named.provider_id)
        AND ({match:model_name} OR {match:dated_name})
        AND toDate(quarter) >= start_date
        AND if(until_second < from_second,
            toUnixTimestamp(toDateTime(quarter)) % 86400 >= from_second OR toUnixTimestamp(toDateTime(quarter)) % 86400 < until_second,
            toUnixTimestamp(toDateTime(quarter)) % 86400 >= from_second AND toUnixTimestamp(toDateTime(quarter)) % 86400 < until_second)
    GROUP BY said_provider, said_model, quarter
) AS p ON s.provider = p.said_provider AND s.model = p.said_model AND toStartOfFifteenMinutes(s.start_time) = p.quarter;

CREATE MATERIALIZED VIEW IF NOT EXISTS blobs_from_otlp_spans {on_cluster} TO {local:blobs} AS
SELECT project_id, trace_id, reinterpretAsUInt128(sipHash128(piece)) AS hash, piece AS content, received_at, retention_days
FROM
(
    SELECT project_id, trace_id, toDateTime(received_at) AS received_at, retention_days, arrayJoin(arrayFlatten(content.pieces)) AS piece
    FROM otlp_spans
)
LIMIT 1 BY project_id, trace_id, hash;

CREATE MATERIALIZED VIEW IF NOT EXISTS sources_from_inbox {on_cluster} TO {local:sources} AS
SELECT * EXCEPT (resource, scope_spans, scopes, environment_name),
    {text_attributes:resource.attributes} AS resource_attributes,
    arrayFilter(t -> t != 'string', resource.attributes.value.kind) AS resource_attribute_types,
    resource.dropped_attributes_count AS resource_dropped_attributes_count,
    resource.entity_refs AS resource_entity_refs,
    scope_spans.scope.name AS scope_name,
    scope_spans.scope.version AS scope_version,
    scope_spans.scope.attributes AS scope_attributes,
    scope_spans.scope.dropped_attributes_count AS scope_dropped_attributes_count,
    scope_spans.schema_url AS scope_schema_url,
    {source_id} AS source_id
FROM
(
    SELECT
        project_id, retention_days, rs.resource AS resource, rs.schema_url AS resource_schema_url, rs.scope_spans AS scopes,
        fromUnixTimestamp64Nano(reinterpretAsInt64(received_at), 'UTC') AS received_at,
        {resource:service.name} AS service,
        {resource:deployment.environment.name} AS environment_name,
        if(environment_name != '', environment_name, {resource:deployment.environment}) AS environment
    FROM otlp_inbox ARRAY JOIN resource_spans AS rs
)
ARRAY JOIN scopes AS scope_spans
LIMIT 1 BY project_id, source_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS traces_from_spans {on_cluster} TO {local:traces} AS
SELECT
    project_id, ts_hour, trace_id,
    min(start_time) AS start_time,
    max(end_time) AS end_time,
    maxIf(name::String, parent_span_id = '') AS root_name,
    min((s.start_time, s.name::String)::Tuple(start_time DateTime64(9, 'UTC'), name String)) AS first_span,
    groupUniqArrayIf(service::String, service != '') AS services,
    groupUniqArrayIf(environment::String, environment != '') AS environments,
    groupUniqArrayIf(agent::String, agent != '') AS agents,
    groupUniqArrayIf(model::String, model != '' AND kind IN ('llm', 'embedding')) AS models,
    groupUniqArrayIf(session, session != '') AS sessions,
    groupUniqArrayIf(user, user != '') AS users,
    count() AS span_count,
    countIf(status = 'error') AS error_count,
    countIf(kind = 'llm') AS llm_calls,
    countIf(kind = 'tool') AS tool_calls,
    countIf(cost_source = 'unpriced') AS unpriced_calls,
    sum(input_tokens) AS input_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(output_tokens) AS output_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(ifNull(cost, 0)) AS cost,
    max(stop_reason::String) AS stop_reason,
    max(toDateTime(received_at) + toIntervalDay(retention_days)) AS expires_at
FROM {local:spans} AS s
GROUP BY project_id, ts_hour, trace_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS usage_hourly_from_spans {on_cluster} TO {local:usage_hourly} AS
SELECT
    project_id, ts_hour, service, environment, agent, provider, model, kind::String AS kind,
    count() AS span_count,
    countIf(status = 'error') AS error_count,
    countIf(cost_source = 'unpriced') AS unpriced_calls,
    sum(input_tokens) AS input_tokens,
    sum(cache_read_tokens) AS cache_read_tokens,
    sum(cache_write_tokens) AS cache_write_tokens,
    sum(output_tokens) AS output_tokens,
    sum(reasoning_tokens) AS reasoning_tokens,
    sum(ifNull(cost, 0)) AS cost
FROM {local:spans}
GROUP BY project_id, ts_hour, service, environment, agent, provider, model, kind;
