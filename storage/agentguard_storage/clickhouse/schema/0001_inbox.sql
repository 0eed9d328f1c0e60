-- The door of the store. A row is one export request in its envelope; nothing is kept here, the
-- views take it from there. Columns mirror OTLP by name, so the engine fills them while decoding.
CREATE TABLE IF NOT EXISTS otlp_inbox {on_cluster}
(
    project_id String,
    received_at UInt64,
    retention_days UInt32,
    region String,
    resource_spans Array(Tuple(
        resource Tuple(
            attributes Array({key_value}),
            dropped_attributes_count UInt32,
            entity_refs Array(String)),
        scope_spans Array(Tuple(
            scope Tuple(
                name String,
                version String,
                attributes Array(String),
                dropped_attributes_count UInt32),
            spans Array(Tuple(
                trace_id String,
                span_id String,
                trace_state String,
                parent_span_id String,
                name String,
                kind Int32,
                start_time_unix_nano UInt64,
                end_time_unix_nano UInt64,
                attributes Array({key_value}),
                dropped_attributes_count UInt32,
                events Array(Tuple(
                    time_unix_nano UInt64,
                    name String,
                    attributes Array(String),
                    dropped_attributes_count UInt32)),
                dropped_events_count UInt32,
                links Array(Tuple(
                    trace_id String,
                    span_id String,
                    trace_state String,
                    attributes Array(String),
                    dropped_attributes_count UInt32,
                    flags UInt32)),
                dropped_links_count UInt32,
                status Tuple(message String, code Int32),
                flags UInt32)),
            schema_url String)),
        schema_url String))
)
ENGINE = Null;
