INSERT INTO otel.otel_traces
SELECT * REPLACE (
    lower(hex(bitXor(reinterpretAsUInt128(unhex(TraceId)), toUInt128(sipHash64({seed:UInt64}, {copy:UInt64}))))) AS TraceId,
    Timestamp + {later:UInt64} AS Timestamp)
FROM (SELECT * FROM otel.otel_traces WHERE toDate(Timestamp) = toDate({day:UInt64}, 'UTC') AND TraceId != (SELECT lower(hex(sipHash128({seed:UInt64}, {long_trace:UInt64})))))
