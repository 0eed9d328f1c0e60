INSERT INTO spans (
    project_id, ts_hour, trace_id, span_id, parent_span_id, name, kind, status, status_message, start_time, end_time,
    service, environment, session, user, agent, tool, call_hash, provider, model,
    input_tokens, cache_read_tokens, output_tokens, reasoning_tokens, cost, cost_source, price_version,
    guard, guard_action, stop_reason, source_id, attributes, attribute_types,
    content.key, content.form, content.blobs, span_kind, flags, received_at, retention_days, region)
SELECT
    project_id, toStartOfHour(toDateTime(intDiv(start_ns, 1000000000), 'UTC')), trace_id, span_id, parent_span_id, name, kind,
    if(failed, 'error', 'unset'), if(failed, concat(name, ' failed: ', ['timeout after 30 s', 'rate limited', 'connection reset by peer'][1 + r % 3]), ''),
    fromUnixTimestamp64Nano(start_ns, 'UTC'), fromUnixTimestamp64Nano(end_ns, 'UTC'),
    service, environment, session, if(s = 0, user, ''), agent, tool,
    if(kind IN ('llm', 'tool'), cityHash64(tool, model, if(stopped, 0, r)), 0), provider, model,
    input_tokens, cache_read_tokens, output_tokens, reasoning_tokens, cost,
    multiIf(NOT counted, '', cost IS NULL, 'unpriced', 'price table'), if(cost IS NULL, '', '2026-11'),
    if(kind = 'guard', 'loop', ''), if(kind = 'guard', 'stop', ''), if(stopped AND (s = 0 OR kind = 'guard'), 'the same call 5 times', ''),
    sipHash64(service, environment),
    mapFromArrays(arrayConcat(texts.1, numbers.1), arrayConcat(texts.2, numbers.2)), numbers.3,
    arrayConcat(if(notEmpty(asked), ['gen_ai.input.messages'], []), if(notEmpty(said), [if(kind = 'llm', 'gen_ai.output.messages', 'gen_ai.tool.call.result')], [])),
    arrayConcat(if(notEmpty(asked), [if(length(asked) > 1, 6, 4)], []), if(notEmpty(said), [4], [])),
    arrayConcat(
        if(notEmpty(asked), [arrayMap(i -> reinterpretAsUInt128(sipHash128(h, toUInt64(i))), asked)], []),
        if(notEmpty(said), [arrayMap(i -> reinterpretAsUInt128(sipHash128(h, toUInt64(i))), said)], [])),
    'internal', 256, fromUnixTimestamp64Nano(end_ns + 2000000000, 'UTC'), 90, 'eu'
FROM
(
-- > spans_made
)
