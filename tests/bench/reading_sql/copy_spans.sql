INSERT INTO spans (* EXCEPT(duration_ns, said))
SELECT * REPLACE (
    lower(hex(bitXor(reinterpretAsUInt128(unhex(trace_id)), toUInt128(sipHash64({seed:UInt64}, {copy:UInt64}))))) AS trace_id,
    if(session = '', '', concat(session, '-', toString({copy:UInt64}))) AS session,
    ts_hour + {later:UInt64} AS ts_hour,
    start_time + {later:UInt64} AS start_time,
    end_time + {later:UInt64} AS end_time,
    received_at + {later:UInt64} AS received_at)
FROM (SELECT * FROM spans WHERE toDate(received_at) = toDate({day:UInt64}, 'UTC') AND trace_id != (SELECT lower(hex(sipHash128({seed:UInt64}, {long_trace:UInt64})))))
