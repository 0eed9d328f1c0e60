CREATE TABLE IF NOT EXISTS schema_migrations {on_cluster}
(
    number UInt32,
    name String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = {everywhere:ReplacingMergeTree}
ORDER BY number;
