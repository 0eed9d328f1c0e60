-- What a trace decides: its size, its time, whose it is.
SELECT
    number AS t,
    sipHash64({seed:UInt64}, t) AS h,
    if(t = {long_trace:UInt64}, 10000, 50 + h % 151) AS spans_in_trace,
    lower(hex(sipHash128({seed:UInt64}, t))) AS trace_id,
    -- One trace in ten is of a small project.
    if(t != {long_trace:UInt64} AND intDiv(h, 7) % 10 = 0, concat('small-', toString(intDiv(h, 70) % 4)), {project:String}) AS project_id,
    -- So that a step of a trace takes some hundred milliseconds.
    50000000 + intDiv(h, 11) % 700000000 AS step_ns,
    toInt64({start_ns:UInt64} + if(t = {long_trace:UInt64}, intDiv(t, 2), t) * {step_ns:UInt64} + h % {step_ns:UInt64}) AS drawn_ns,
    toInt64(spans_in_trace + 20) * step_ns + 3000000000 AS lasts_ns,
    -- Over before midnight: texts are stored on the day of their span, and here once a trace.
    least(drawn_ns, (intDiv(drawn_ns, 86400000000000) + 1) * 86400000000000 - lasts_ns) AS began_ns,
    ['checkout', 'support-desk', 'research', 'coding', 'billing', 'onboarding', 'search', 'reports'][1 + intDiv(h, 13) % 8] AS service,
    multiIf(intDiv(h, 17) % 20 = 0, 'dev', intDiv(h, 17) % 20 < 4, 'staging', 'production') AS environment,
    concat('session-', lower(hex(sipHash64({seed:UInt64}, 's', intDiv(t, 4))))) AS session,
    concat('user-', toString(intDiv(h, 19) % 5000)) AS user,
    intDiv(h, 23) % 8 AS first_agent,
    intDiv(h, 29) % 7 AS first_model,
    intDiv(h, 31) % 40 = 0 AS stopped,
    ['free', 'free', 'free', 'free', 'silver', 'silver', 'gold', 'bronze'][1 + intDiv(h, 37) % 8] AS tier
FROM numbers({first:UInt64}, {count:UInt64})
