-- What models cost, as of each quarter of an hour in which one was called: prices.sql fills it, and
-- without that it stays empty and calls have no computed cost.
CREATE TABLE IF NOT EXISTS otel.model_prices
(
    provider String,
    model String,
    quarter DateTime('UTC'),
    version String,
    tier_starts Array(UInt64),
    input Array(UInt64) COMMENT 'pico-dollars per token, by tier; so are the next four',
    cache_read Array(UInt64),
    cache_write Array(UInt64),
    output Array(UInt64),
    reasoning Array(UInt64),
    per_request UInt64 COMMENT 'pico-dollars',
    priced Bool
)
ENGINE = ReplacingMergeTree
ORDER BY (provider, model, quarter);
