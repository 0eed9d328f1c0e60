"""Everything about a collector that can be chosen, with its default."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Settings"]

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class Settings:
    """Sizes are bytes, times are seconds, ports may be 0 for any free one."""

    data_dir: Path
    clickhouse: str
    control: str
    clickhouse_reader: str | None = None
    host: str = "127.0.0.1"
    http_port: int = 4318
    grpc_port: int = 4317
    worker: str | None = None
    workers: int = 1
    share_ports: bool = False
    exit_with_parent: bool = False
    store_reads_files: bool = False

    # 64 MiB is what the OTLP specification recommends for both transports.
    max_body_bytes: int = 64 * MIB
    max_wal_bytes: int = 2048 * MIB
    segment_bytes: int = 32 * MIB
    segment_spans: int = 60_000
    segment_seconds: float = 0.6
    quiet_segment_seconds: float = 0.1
    insert_timeout: float = 60.0
    drain_timeout: float = 10.0
    dedup_spans: int = 4_000_000
    dedup_seconds: float = 3600.0
    max_spans_per_second: float | None = None
    max_bytes_per_second: float | None = None

    # What reading may take, in each process: requests of a key, questions to ClickHouse at once,
    # how long one of those waits for its turn, and how long ClickHouse may take for it.
    reads_per_minute: int = 600
    control_calls_per_minute: int = 30_000
    reads_at_once: int = 8
    reads_at_once_per_key: int = 4
    read_wait: float = 5.0
    read_seconds: int = 20

    @property
    def wal_dir(self) -> Path:
        """Holds one folder per worker."""
        return self.data_dir / "wal"

    @property
    def wal_bytes_per_worker(self) -> int:
        """The machine's bound, shared out evenly."""
        return self.max_wal_bytes // self.workers
