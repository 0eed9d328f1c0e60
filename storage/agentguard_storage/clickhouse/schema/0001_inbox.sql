-- The door of the store. A row is one export request in its envelope; nothing is kept here, the
-- views take it from there. Its shape is the message's own, so the engine fills it while decoding.
-- All spans are one column, opened by the last view only: each column costs each view that passes it
-- on a tenth of a millisecond at every insert.
CREATE TABLE IF NOT EXISTS otlp_inbox {on_cluster}
(
    project_id String,
    received_at UInt64,
    retention_days UInt32,
    region String,
    resource_spans Array(Tuple(
        schema_url String,
        resource {resource},
        scope_spans Array(Tuple(
            schema_url String,
            scope {scope},
            spans Array({span})))))
)
ENGINE = Null;
