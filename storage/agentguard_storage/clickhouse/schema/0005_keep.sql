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
LEFT ANY JOIN
(
    SELECT said_provider, said_model, quarter,
        argMin(rule.version, priority + later) AS version, argMin(rule.tier_starts, priority + later) AS tier_starts, argMin(rule.input, priority + later) AS input,
        argMin(rule.cache_read, priority + later) AS cache_read, argMin(rule.cache_write, priority + later) AS cache_write, argMin(rule.output, priority + later) AS output,
        argMin(rule.reasoning, priority + later) AS reasoning, argMin(rule.per_request, priority + later) AS per_request, argMin(rule.priced, priority + later) AS priced
    FROM
    (
        SELECT said_provider, said_model, quarter, toUnixTimestamp(quarter) % 86400 AS second,
            multiIf(hits = 0, any(name), by_name != '', by_name, by_prefix != '', by_prefix, by_model) AS provider_id,
            substring(any(lower_model), if(hits > 0 AND by_name = '' AND by_prefix != '', position(any(lower_model), '/') + 1, 1)) AS model_name,
            replaceRegexpAll(model_name, '-(20\\d{{2}})(0[1-9]|1[0-2])(0[1-9]|[12]\\d|3[01])(-|:|$)', '-\\1-\\2-\\3\\4') AS dated_name,
            countIf(part = 1 AND version != '') AS hits,
            argMinIf(provider, priority, part = 1 AND version != '') AS by_name,
            argMinIf(provider, priority, part = 2 AND version != '') AS by_prefix,
            argMinIf(provider, priority, part = 3 AND version != '') AS by_model
        FROM
        (
            SELECT DISTINCT provider AS said_provider, model AS said_model,
                toStartOfFifteenMinutes(start_time) AS quarter,
                trimBoth(lowerUTF8(provider)) AS name, lowerUTF8(model) AS lower_model,
                arrayJoin([(1, name), (2, substringIndex(lower_model, '/', toUInt8(position(lower_model, '/') > 0))), (3, lower_model)]) AS asked,
                asked.1 AS part, asked.2 AS subject
            FROM otlp_spans
            WHERE kind IN ('llm', 'embedding')
        ) AS said
        LEFT JOIN provider_rules AS r
            ON r.field = if(said.part = 3, 'model', 'provider') AND ({match:subject})
        GROUP BY said_provider, said_model, quarter
    ) AS named
    -- Rules of the provider, and those of any.
    ARRAY JOIN [model_name, dated_name, model_name, dated_name] AS tried,
        [0, 1073741824, 0, 1073741824] AS later, [provider_id, provider_id, '', ''] AS priced_by
    INNER JOIN price_rules AS rule ON rule.provider = priced_by
    WHERE {match:tried} AND toDate(quarter) >= start_date
        AND if(until_second < from_second,
            second >= from_second OR second < until_second,
            second >= from_second AND second < until_second)
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

CREATE MATERIALIZED VIEW IF NOT EXISTS sources_from_scopes {on_cluster} TO {local:sources} AS
SELECT
    project_id, source_id, service, environment,
    mapFromArrays(
        arrayConcat(
            arrayFilter((k, t) -> t = 'string', resource_keys, resource_types),
            arrayFilter((k, t) -> t != 'string', resource_keys, resource_types)),
        arrayConcat(
            arrayFilter((s, t) -> t = 'string', resource_strings, resource_types),
            arrayMap((t, i, d, b, a, l, y) -> multiIf(
                t = 'int', toString(i), t = 'double', toString(d), t = 'bool', if(b, 'true', 'false'),
                t = 'array', a, t = 'kvlist', l, y),
                resource_attribute_types,
                arrayFilter((i, t) -> t != 'string', resource_ints, resource_types),
                arrayFilter((d, t) -> t != 'string', resource_doubles, resource_types),
                arrayFilter((b, t) -> t != 'string', resource_bools, resource_types),
                arrayFilter((a, t) -> t != 'string', resource_arrays, resource_types),
                arrayFilter((l, t) -> t != 'string', resource_kvlists, resource_types),
                arrayFilter((y, t) -> t != 'string', resource_byte_strings, resource_types)))) AS resource_attributes,
    arrayFilter(t -> t != 'string', resource_types) AS resource_attribute_types,
    resource_dropped_attributes_count, resource_entity_refs, resource_schema_url,
    scope_name, scope_version, scope_attributes, scope_dropped_attributes_count, scope_schema_url,
    received_at, retention_days
FROM otlp_scopes
LIMIT 1 BY project_id, source_id;

CREATE MATERIALIZED VIEW IF NOT EXISTS traces_from_spans {on_cluster} TO {local:traces} AS
SELECT
    project_id, ts_hour, trace_id,
    min(start_time) AS start_time,
    max(end_time) AS end_time,
    maxIf(name::String, parent_span_id = '') AS root_name,
    min((s.start_time, s.name::String, s.service::String)::Tuple(start_time DateTime64(9, 'UTC'), name String, service String)) AS first_span,
    groupUniqArrayIf(service::String, service != '') AS services,
    max(environment::String) AS environment,
    groupUniqArrayIf(agent::String, agent != '') AS agents,
    groupUniqArrayIf(model::String, model != '' AND kind IN ('llm', 'embedding')) AS models,
    max(session) AS session,
    max(user) AS user,
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
