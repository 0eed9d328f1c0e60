INSERT INTO blobs
SELECT * REPLACE (
    lower(hex(bitXor(reinterpretAsUInt128(unhex(trace_id)), toUInt128(sipHash64({seed:UInt64}, {copy:UInt64}))))) AS trace_id,
    received_at + {later:UInt64} AS received_at)
FROM (SELECT * FROM blobs WHERE toDate(received_at) = toDate({day:UInt64}, 'UTC') AND trace_id != (SELECT lower(hex(sipHash128({seed:UInt64}, {long_trace:UInt64})))))
