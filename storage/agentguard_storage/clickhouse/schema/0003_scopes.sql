-- otlp_scopes: a row for each resource and scope of an export request, its spans side by side in an
-- array. Nothing is kept here.
CREATE TABLE IF NOT EXISTS otlp_scopes {on_cluster}
(
    project_id LowCardinality(String),
    received_at DateTime64(9, 'UTC'),
    retention_days UInt16,
    region LowCardinality(String),
    service LowCardinality(String),
    environment LowCardinality(String),
    source_id UInt64,
    resource_schema_url String,
    resource {resource},
    scope_schema_url String,
    scope {scope},
    spans Array({span})
)
ENGINE = Null;

CREATE MATERIALIZED VIEW IF NOT EXISTS otlp_scopes_from_inbox {on_cluster} TO otlp_scopes AS
SELECT
    project_id, received_at, retention_days, region,
    toLowCardinality(texts[indexOf(keys, 'service.name')]) AS service,
    toLowCardinality(texts[if(
        has(keys, 'deployment.environment.name'),
        indexOf(keys, 'deployment.environment.name'),
        indexOf(keys, 'deployment.environment'))]) AS environment,
    -- In whatever order a sender has its resource's attributes, it is the same resource.
    sipHash64(
        resource_schema_url, arraySort(tupleElement(resource, 'attributes')),
        tupleElement(resource, 'dropped_attributes_count'), tupleElement(resource, 'entity_refs'),
        scope_schema_url, scope) AS source_id,
    resource_schema_url, resource, scope_schema_url, scope,
    tupleElement(scope_span, 'spans') AS spans
FROM
(
    SELECT
        project_id, received_at, retention_days, region,
        tupleElement(resource_span, 'schema_url') AS resource_schema_url,
        tupleElement(resource_span, 'resource') AS resource,
        tupleElement(tupleElement(resource, 'attributes'), 'key') AS keys,
        arrayMap(v -> if(bitShiftRight(ascii(v), 3) = {kind:string}, {text_of:v}, ''), tupleElement(tupleElement(resource, 'attributes'), 'value')) AS texts,
        tupleElement(scope_span, 'schema_url') AS scope_schema_url,
        tupleElement(scope_span, 'scope') AS scope,
        scope_span
    FROM
    (
        SELECT
            toLowCardinality(project_id) AS project_id, retention_days, toLowCardinality(region) AS region,
            fromUnixTimestamp64Nano(reinterpretAsInt64(received_at), 'UTC') AS received_at,
            resource_span
        FROM otlp_inbox
        ARRAY JOIN resource_spans AS resource_span
    )
    ARRAY JOIN tupleElement(resource_span, 'scope_spans') AS scope_span
);
