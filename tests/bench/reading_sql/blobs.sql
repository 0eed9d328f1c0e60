INSERT INTO blobs (project_id, trace_id, hash, content, received_at, retention_days)
WITH (SELECT words FROM bench_words LIMIT 1) AS words
SELECT
    project_id, trace_id, reinterpretAsUInt128(sipHash128(h, id)),
    -- > message
    , toDateTime(intDiv(end_ns, 1000000000) + 2, 'UTC'), 90
FROM
(
    SELECT project_id, trace_id, h, end_ns, toUInt64(i) AS id
    FROM
    (
-- > spans_made
    )
    ARRAY JOIN arrayConcat(if(kind = 'llm' AND j < 19, [s], []), if(j = 0 AND s > 0, [s], []), said) AS i
)
