"""The collector: OTLP spans in, a write-ahead log on disk, ClickHouse behind it."""
