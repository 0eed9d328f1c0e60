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
    trace_id,
    lower(hex(tupleElement(span, 'span_id'))) AS span_id,
    if(tupleElement(span, 'parent_span_id') = unhex('0000000000000000'), '', lower(hex(tupleElement(span, 'parent_span_id')))) AS parent_span_id,
    tupleElement(span, 'name') AS name,
    kind,
    if(tupleElement(tupleElement(span, 'status'), 'code') BETWEEN 0 AND 2, tupleElement(tupleElement(span, 'status'), 'code'), 0) AS status,
    tupleElement(tupleElement(span, 'status'), 'message') AS status_message,
    start_time,
    fromUnixTimestamp64Nano(reinterpretAsInt64(tupleElement(span, 'end_time_unix_nano')), 'UTC') AS end_time,
    service, environment,
    said_texts[if(said_texts[indexOf(said_codes, {code:session})] != '', indexOf(said_codes, {code:session}), indexOf(said_codes, {code:associated_session}))] AS session,
    said_texts[indexOf(said_codes, {code:user})] AS user,
    agent, tool,
    multiIf(
        kind = 'tool', cityHash64(tool, said_texts[indexOf(said_codes, {code:tool_arguments})]),
        kind = 'llm', cityHash64(model, said_texts[indexOf(said_codes, {code:input})]),
        0) AS call_hash,
    provider, model,
    input_tokens, cache_read_tokens, cache_write_tokens, output_tokens, reasoning_tokens,
    multiIf(
        stated_cost IS NOT NULL, stated_cost,
        counted AND p.priced, toDecimal128(pico_dollars, 0) * toDecimal128('0.000000000001', 12),
        reported_cost) AS cost,
    multiIf(NOT counted, '', stated_cost IS NOT NULL, 'stated', p.priced, 'price table',
        reported_cost IS NOT NULL, 'reported', 'unpriced') AS cost_source,
    if(cost_source = 'price table', p.version, '') AS price_version,
    said_texts[indexOf(said_codes, {code:guard})] AS guard,
    said_texts[indexOf(said_codes, {code:guard_action})] AS guard_action,
    said_texts[indexOf(said_codes, {code:stop_reason})] AS stop_reason,
    source_id, attributes, attribute_types,
    content_keys AS `content.key`,
    content_forms AS `content.form`,
    arrayMap(pieces -> arrayMap(piece -> reinterpretAsUInt128(sipHash128(piece)), pieces), content_pieces) AS `content.blobs`,
    tupleElement(tupleElement(span, 'events'), 'time_unix_nano') AS `events.time_unix_nano`,
    tupleElement(tupleElement(span, 'events'), 'name') AS `events.name`,
    tupleElement(tupleElement(span, 'events'), 'attributes') AS `events.attributes`,
    tupleElement(tupleElement(span, 'events'), 'dropped_attributes_count') AS `events.dropped_attributes_count`,
    tupleElement(tupleElement(span, 'links'), 'trace_id') AS `links.trace_id`,
    tupleElement(tupleElement(span, 'links'), 'span_id') AS `links.span_id`,
    tupleElement(tupleElement(span, 'links'), 'trace_state') AS `links.trace_state`,
    tupleElement(tupleElement(span, 'links'), 'attributes') AS `links.attributes`,
    tupleElement(tupleElement(span, 'links'), 'dropped_attributes_count') AS `links.dropped_attributes_count`,
    tupleElement(tupleElement(span, 'links'), 'flags') AS `links.flags`,
    if(tupleElement(span, 'kind') BETWEEN 0 AND 5, tupleElement(span, 'kind'), 0) AS span_kind,
    tupleElement(span, 'trace_state') AS trace_state,
    tupleElement(span, 'flags') AS flags,
    tupleElement(span, 'dropped_attributes_count') AS dropped_attributes_count,
    tupleElement(span, 'dropped_events_count') AS dropped_events_count,
    tupleElement(span, 'dropped_links_count') AS dropped_links_count,
    received_at, retention_days, region
FROM otlp_spans AS s
LEFT ANY JOIN
(
    SELECT said_project, said_provider, said_model, quarter,
        argMin(rule.version, priority + later) AS version, argMin(rule.tier_starts, priority + later) AS tier_starts, argMin(rule.input, priority + later) AS input,
        argMin(rule.cache_read, priority + later) AS cache_read, argMin(rule.cache_write, priority + later) AS cache_write, argMin(rule.output, priority + later) AS output,
        argMin(rule.reasoning, priority + later) AS reasoning, argMin(rule.per_request, priority + later) AS per_request, argMin(rule.priced, priority + later) AS priced
    FROM
    (
        SELECT said_provider, said_model, quarter, toUnixTimestamp(quarter) % 86400 AS second, arrayJoin(any(projects)) AS said_project,
            multiIf(hits = 0, any(name), by_name != '', by_name, by_prefix != '', by_prefix, by_model) AS provider_id,
            substring(any(lower_model), if(hits > 0 AND by_name = '' AND by_prefix != '', position(any(lower_model), '/') + 1, 1)) AS model_name,
            replaceRegexpAll(model_name, '-(20\\d{{2}})(0[1-9]|1[0-2])(0[1-9]|[12]\\d|3[01])(-|:|$)', '-\\1-\\2-\\3\\4') AS dated_name,
            countIf(part = 1 AND version != '') AS hits,
            argMinIf(provider, priority, part = 1 AND version != '') AS by_name,
            argMinIf(provider, priority, part = 2 AND version != '') AS by_prefix,
            argMinIf(provider, priority, part = 3 AND version != '') AS by_model
        FROM
        (
            SELECT said_provider, said_model, quarter, projects,
                trimBoth(lowerUTF8(said_provider)) AS name, lowerUTF8(said_model) AS lower_model,
                arrayJoin([(1, name), (2, substringIndex(lower_model, '/', toUInt8(position(lower_model, '/') > 0))), (3, lower_model)]) AS asked,
                asked.1 AS part, asked.2 AS subject
            FROM
            (
                SELECT provider AS said_provider, model AS said_model,
                    toStartOfFifteenMinutes(start_time) AS quarter, groupUniqArray(project_id) AS projects
                FROM otlp_spans
                WHERE kind IN ('llm', 'embedding')
                GROUP BY said_provider, said_model, quarter
            ) AS models
        ) AS said
        LEFT JOIN provider_rules AS r
            ON r.field = if(said.part = 3, 'model', 'provider') AND ({match:subject})
        GROUP BY said_provider, said_model, quarter
    ) AS named
    -- Rules of the provider, and those of any; the project's own, and those of the list.
    ARRAY JOIN arrayConcat([model_name, dated_name, model_name, dated_name] AS names, names) AS tried,
        arrayConcat([0, 1073741824, 0, 1073741824] AS turns, turns) AS later,
        arrayConcat([provider_id, provider_id, '', ''] AS providers, providers) AS priced_by,
        [said_project, said_project, said_project, said_project, '', '', '', ''] AS priced_for
    INNER JOIN price_rules AS rule ON rule.provider = priced_by AND rule.project_id = priced_for
    WHERE {match:tried} AND toDate(quarter) >= start_date
        AND if(until_second < from_second,
            second >= from_second OR second < until_second,
            second >= from_second AND second < until_second)
    GROUP BY said_project, said_provider, said_model, quarter
) AS p ON s.project_id = p.said_project AND s.provider = p.said_provider AND s.model = p.said_model AND toStartOfFifteenMinutes(s.start_time) = p.quarter;

CREATE MATERIALIZED VIEW IF NOT EXISTS blobs_from_otlp_spans {on_cluster} TO {local:blobs} AS
SELECT project_id, trace_id, reinterpretAsUInt128(sipHash128(piece)) AS hash, piece AS content, received_at, retention_days
FROM
(
    SELECT project_id, trace_id, toDateTime(received_at) AS received_at, retention_days, arrayJoin(arrayFlatten(content_pieces)) AS piece
    FROM otlp_spans
)
LIMIT 1 BY project_id, trace_id, hash;

CREATE MATERIALIZED VIEW IF NOT EXISTS sources_from_scopes {on_cluster} TO {local:sources} AS
SELECT
    project_id, source_id, service, environment,
    mapFromArrays(
        arrayConcat(
            arrayFilter((k, t) -> t = {kind:string}, keys, types),
            arrayFilter((k, t) -> t != {kind:string}, keys, types)),
        arrayConcat(
            arrayMap(v -> {text_of:v}, arrayFilter((v, t) -> t = {kind:string}, values, types)),
            {texts_of_others})) AS resource_attributes,
    other_types AS resource_attribute_types,
    tupleElement(resource, 'dropped_attributes_count') AS resource_dropped_attributes_count,
    tupleElement(resource, 'entity_refs') AS resource_entity_refs,
    resource_schema_url,
    tupleElement(scope, 'name') AS scope_name,
    tupleElement(scope, 'version') AS scope_version,
    tupleElement(scope, 'attributes') AS scope_attributes,
    tupleElement(scope, 'dropped_attributes_count') AS scope_dropped_attributes_count,
    scope_schema_url,
    received_at, retention_days
FROM
(
    SELECT
        *,
        tupleElement(tupleElement(resource, 'attributes'), 'key') AS keys,
        tupleElement(tupleElement(resource, 'attributes'), 'value') AS values,
        arrayMap(v -> {head_of:v}, values) AS heads,
        arrayMap(h -> {kind_of:h}, heads) AS types,
        arrayFilter(t -> t != {kind:string}, types) AS other_types,
        arrayFilter((v, t) -> t != {kind:string}, values, types) AS other_values
    FROM otlp_scopes
    LIMIT 1 BY project_id, source_id
);

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
    maxIf((s.start_time, s.guard::String)::Tuple(start_time DateTime64(9, 'UTC'), guard String), guard_action = 'stop') AS stopped_by,
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
