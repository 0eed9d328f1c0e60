-- What a span decides, of the traces above. `s` is its place in the trace, `j` in its group.
SELECT
    *, s,
    cityHash64(h, s) AS r,
    if(s = 0, 0, intDiv(s - 1, 20)) AS g,
    if(s = 0, 0, (s - 1) % 20) AS j,
    multiIf(
        s = 0, if(h % 5 = 0, 'workflow', 'agent'),
        stopped AND s = spans_in_trace - 1, 'guard',
        j = 0, 'agent', j IN (5, 15), 'retrieval', j = 10, 'embedding', j = 2, 'other',
        j % 2 = 1, 'llm', 'tool') AS kind,
    kind IN ('llm', 'embedding') AS counted,
    lower(hex(r)) AS span_id,
    multiIf(s = 0, '', j = 0, lower(hex(cityHash64(h, toUInt64(0)))), lower(hex(cityHash64(h, toUInt64(1 + g * 20))))) AS parent_span_id,
    multiIf(h % 2003 = 1 AND g = 1, 'Auditor', ['Planner', 'Researcher', 'Coder', 'Reviewer', 'Support', 'Summarizer', 'Critic', 'Router'][1 + (first_agent + g) % 8]) AS group_agent,
    if(kind IN ('agent', 'llm'), group_agent, '') AS agent,
    multiIf(kind != 'tool', '', stopped AND s * 2 > spans_in_trace, 'search_documents', r % 10007 = 0, 'rotate_keys',
        ['search_documents', 'read_file', 'run_query', 'fetch_page', 'run_tests', 'send_email', 'list_orders', 'refund_order', 'get_weather', 'write_file', 'translate', 'summarize'][1 + intDiv(r, 3) % 12]) AS tool,
    multiIf(NOT counted, 0, kind = 'embedding', 8, r % 5003 = 0, 9, intDiv(r, 5) % 5 = 0, 1 + intDiv(r, 25) % 7, 1 + first_model) AS model_number,
    ['openai', 'openai', 'anthropic', 'anthropic', 'gcp.gemini', 'mistral_ai', 'ollama', 'openai', 'openai'][model_number] AS provider,
    ['gpt-4o-mini-2024-07-18', 'gpt-4o-2024-08-06', 'claude-sonnet-4-5-20250929', 'claude-haiku-4-5-20251001', 'gemini-2.5-flash', 'mistral-large-2411', 'llama-in-house', 'text-embedding-3-small', 'o3-2025-04-16'][model_number] AS model,
    if(counted, 200 + intDiv(r, 7) % 4000, 0) AS input_tokens,
    if(kind = 'llm' AND j > 2, intDiv(r, 9) % 3000, 0) AS cache_read_tokens,
    if(kind = 'llm', 20 + intDiv(r, 11) % 800, 0) AS output_tokens,
    if(kind = 'llm' AND model_number = 5, intDiv(r, 13) % 400, 0) AS reasoning_tokens,
    -- Dollars for a billion tokens.
    [150, 2500, 3000, 1000, 300, 2000, 0, 20, 2000][model_number] * (input_tokens + intDiv(cache_read_tokens, 10))
        + [600, 10000, 15000, 5000, 2500, 6000, 0, 0, 8000][model_number] * (output_tokens + reasoning_tokens) AS nano_dollars,
    if(NOT counted OR model_number = 7, NULL, toDecimal128(nano_dollars, 9) / 1000000000) AS cost,
    kind != 'guard' AND intDiv(r, 15) % 100 = 0 AS failed,
    began_ns + toInt64(s) * step_ns AS start_ns,
    start_ns + multiIf(s = 0, toInt64(spans_in_trace) * step_ns, j = 0, 20 * step_ns, intDiv(step_ns * (10 + intDiv(r, 17) % 90), 100)) AS end_ns,
    multiIf(
        kind = 'workflow', 'nightly-report', kind = 'agent', concat('invoke_agent ', agent), kind = 'guard', 'guard loop',
        kind = 'tool', concat('execute_tool ', tool), kind = 'llm', concat('chat ', model), kind = 'embedding', concat('embeddings ', model),
        kind = 'retrieval', 'retrieval documents', 'POST') AS name,
    -- As the store has attributes: texts first, then what is none.
    arrayFilter(p -> p.1 != '', [
        ('gen_ai.operation.name', multiIf(kind = 'llm', 'chat', kind = 'tool', 'execute_tool', kind = 'agent', 'invoke_agent', kind = 'embedding', 'embeddings', kind = 'retrieval', 'retrieval', '')),
        (if(counted, 'gen_ai.provider.name', ''), provider),
        (if(counted, 'gen_ai.request.model', ''), model),
        (if(kind = 'llm', 'gen_ai.response.model', ''), model),
        (if(kind = 'llm', 'gen_ai.response.id', ''), concat('chatcmpl-', lower(hex(sipHash128(r))))),
        (if(agent != '', 'gen_ai.agent.name', ''), agent),
        ('gen_ai.conversation.id', session),
        (if(s = 0, 'user.id', ''), user),
        (if(kind = 'tool', 'gen_ai.tool.name', ''), tool),
        (if(kind = 'tool', 'gen_ai.tool.type', ''), 'function'),
        (if(kind = 'tool', 'gen_ai.tool.call.id', ''), concat('call_', lower(hex(sipHash64(r))))),
        (if(kind = 'tool', 'gen_ai.tool.call.arguments', ''), concat('{"query": "', tool, ' ', toString(r % 1000), '"}')),
        (if(kind IN ('llm', 'embedding', 'other'), 'server.address', ''), 'api.example.com'),
        (if(kind = 'other', 'http.request.method', ''), 'POST'),
        (if(kind = 'other', 'url.full', ''), 'https://api.example.com/v1/chat/completions'),
        (if(kind IN ('llm', 'tool', 'agent'), 'customer.tier', ''), tier),
        (if(r % 100003 = 0, 'incident.ticket', ''), concat('T-', toString(intDiv(r, 100003) % 2))),
        (if(s = 0, 'release.channel', ''), if(h % 97 = 0, 'canary', 'stable')),
        (if(kind = 'guard', 'agentguard.guard.name', ''), 'loop'),
        (if(kind = 'guard', 'agentguard.guard.action', ''), 'stop')]) AS texts,
    arrayFilter(p -> p.1 != '', [
        (if(kind = 'llm', 'gen_ai.request.max_tokens', ''), '4096', 'int'),
        (if(counted, 'gen_ai.usage.input_tokens', ''), toString(input_tokens + cache_read_tokens), 'int'),
        (if(kind = 'llm', 'gen_ai.usage.output_tokens', ''), toString(output_tokens + reasoning_tokens), 'int'),
        (if(kind = 'llm', 'gen_ai.usage.cache_read.input_tokens', ''), toString(cache_read_tokens), 'int'),
        (if(kind = 'llm', 'gen_ai.request.temperature', ''), '0.2', 'double'),
        (if(kind IN ('llm', 'embedding', 'other'), 'server.port', ''), '443', 'int'),
        (if(kind = 'tool', 'result.rows', ''), toString(if(r % 50021 = 0, 1000000, intDiv(r, 21) % 5000)), 'int'),
        (if(kind = 'other', 'http.response.status_code', ''), if(failed, '503', '200'), 'int')]) AS numbers,
    -- The messages of a model call's input: the user's, and all that was said since in the group.
    arrayMap(i -> toUInt64(i), if(kind = 'llm', arrayConcat([1 + g * 20], arrayFilter(i -> (i - 1) % 20 NOT IN (5, 15), range(2 + g * 20, s, 2))), [])) AS asked,
    -- The last answer is a long one.
    arrayMap(i -> toUInt64(i), if(kind = 'llm' AND j = 19, [s + 1000000], if(kind = 'tool' AND j IN (4, 8), [s], []))) AS said
FROM
(
-- > traces_made
)
ARRAY JOIN range(spans_in_trace) AS s
