-- Prices the models that otel_traces names, from the list in AgentGuard's own database, which here
-- has the name agentguard. It takes each block of spans as it comes in; the matching is that of
-- 0005_keep.sql in AgentGuard's schema. Spans that were there before stay without a price.
CREATE MATERIALIZED VIEW IF NOT EXISTS otel.model_prices_from_otel_traces TO otel.model_prices AS
SELECT said_name AS provider, said_model AS model, quarter,
    argMin(rule.version, priority + later) AS version, argMin(rule.tier_starts, priority + later) AS tier_starts, argMin(rule.input, priority + later) AS input,
    argMin(rule.cache_read, priority + later) AS cache_read, argMin(rule.cache_write, priority + later) AS cache_write, argMin(rule.output, priority + later) AS output,
    argMin(rule.reasoning, priority + later) AS reasoning, argMin(rule.per_request, priority + later) AS per_request, argMin(rule.priced, priority + later) AS priced
FROM
(
    SELECT said_name, said_model, quarter, toUnixTimestamp(quarter) % 86400 AS second,
        multiIf(hits = 0, any(name), by_name != '', by_name, by_prefix != '', by_prefix, by_model) AS provider_id,
        substring(any(lower_model), if(hits > 0 AND by_name = '' AND by_prefix != '', position(any(lower_model), '/') + 1, 1)) AS model_name,
        replaceRegexpAll(model_name, '-(20\\d{2})(0[1-9]|1[0-2])(0[1-9]|[12]\\d|3[01])(-|:|$)', '-\\1-\\2-\\3\\4') AS dated_name,
        countIf(part = 1 AND version != '') AS hits,
        argMinIf(provider, priority, part = 1 AND version != '') AS by_name,
        argMinIf(provider, priority, part = 2 AND version != '') AS by_prefix,
        argMinIf(provider, priority, part = 3 AND version != '') AS by_model
    FROM
    (
        SELECT said_name, said_model, quarter,
            trimBoth(lowerUTF8(said_name)) AS name, lowerUTF8(said_model) AS lower_model,
            arrayJoin([(1, name), (2, substringIndex(lower_model, '/', toUInt8(position(lower_model, '/') > 0))), (3, lower_model)]) AS asked,
            asked.1 AS part, asked.2 AS subject
        FROM
        (
            WITH
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
                lower(if(said_provider != '', said_provider, said_system)) AS said_name,
                multiIf(said_response_model != '', said_response_model, said_request_model != '', said_request_model,
                    JSONExtractString(said_invocation_parameters, 'model')) AS said_model
            SELECT DISTINCT
                said_name, said_model,
                toStartOfFifteenMinutes(toTimeZone(Timestamp, 'UTC'))::DateTime('UTC') AS quarter
            FROM otel.otel_traces
            WHERE said_model != ''
        ) AS models
    ) AS said
    LEFT JOIN agentguard.provider_rules AS r
        ON r.field = if(said.part = 3, 'model', 'provider')
        AND ((multiIf(kind = 'exact', subject = pattern, kind = 'prefix', startsWith(subject, pattern),
            kind = 'suffix', endsWith(subject, pattern), kind = 'contains', position(subject, pattern) > 0,
            match(subject, regex)) AND (unless = '' OR NOT match(subject, unless))))
    GROUP BY said_name, said_model, quarter
) AS named
ARRAY JOIN [model_name, dated_name, model_name, dated_name] AS tried,
    [0, 1073741824, 0, 1073741824] AS later,
    [provider_id, provider_id, '', ''] AS priced_by
INNER JOIN agentguard.price_rules AS rule ON rule.provider = priced_by
WHERE rule.project_id = ''
    AND (multiIf(kind = 'exact', tried = pattern, kind = 'prefix', startsWith(tried, pattern),
        kind = 'suffix', endsWith(tried, pattern), kind = 'contains', position(tried, pattern) > 0,
        match(tried, regex)) AND (unless = '' OR NOT match(tried, unless)))
    AND toDate(quarter) >= start_date
    AND if(until_second < from_second,
        second >= from_second OR second < until_second,
        second >= from_second AND second < until_second)
GROUP BY said_name, said_model, quarter;
