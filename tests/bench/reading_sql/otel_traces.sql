INSERT INTO otel.otel_traces (Timestamp, TraceId, SpanId, ParentSpanId, TraceState, SpanName, SpanKind, ServiceName, ResourceAttributes, ScopeName, ScopeVersion, SpanAttributes, Duration, StatusCode, StatusMessage)
WITH (SELECT words FROM bench_words LIMIT 1) AS words
SELECT
    fromUnixTimestamp64Nano(start_ns, 'UTC'), trace_id, span_id, parent_span_id, '', name, 'Internal', service,
    map('service.name', service, 'deployment.environment.name', environment, 'host.name', concat(service, '-7d9f8b6c5-x2k4q'), 'project.id', project_id),
    'opentelemetry.instrumentation.genai.openai', '1.3b0',
    mapFromArrays(
        arrayConcat(texts.1, numbers.1, if(cost IS NULL, [], ['gen_ai.usage.cost']), if(notEmpty(asked), ['gen_ai.input.messages'], []), if(notEmpty(said), [if(kind = 'llm', 'gen_ai.output.messages', 'gen_ai.tool.call.result')], [])),
        arrayConcat(texts.2, numbers.2, if(cost IS NULL, [], [toString(assumeNotNull(cost))]),
            if(notEmpty(asked), [concat(arrayStringConcat(arrayMap(i -> texts_of[indexOf(ids, i)], asked), '}, {"role"'), '}]')], []),
            if(notEmpty(said), [concat(texts_of[indexOf(ids, said[1])], '}]')], []))),
    toUInt64(end_ns - start_ns), if(failed, 'Error', 'Unset'), if(failed, concat(name, ' failed: ', ['timeout after 30 s', 'rate limited', 'connection reset by peer'][1 + r % 3]), '')
FROM
(
    SELECT
        *,
        arrayConcat(asked, said) AS ids,
        arrayMap((id, h) -> (
            -- > message
        ), ids, arrayResize([h], length(ids), h)) AS texts_of
    FROM
    (
-- > spans_made
    )
)
