"""What the engine may use, and what each user may do; written as ClickHouse configuration.

chDB has no CREATE USER, but it reads a users file: the reader's rights are a role that the engine
itself enforces, and its limits are constraints that no SETTINGS clause can lift.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

from agentguard_storage.embedded.credentials import User

__all__ = ["BASELINE", "DATABASE", "LOCKS", "write_configuration"]

DATABASE: Final = "agentguard"
MEGABYTE: Final = 1 << 20

# Merges may wait and inserts may not: at least every second core is free of merges.
_MERGE_THREADS: Final = min(2, max(1, (os.cpu_count() or 1) // 2))
_MERGES_AT_ONCE: Final = 4

_SERVER: Final = {
    "max_server_memory_usage": 750 * MEGABYTE,
    "mark_cache_size": 16 * MEGABYTE,
    "index_mark_cache_size": 4 * MEGABYTE,
    "primary_index_cache_size": 16 * MEGABYTE,
    "uncompressed_cache_size": 0,
    "index_uncompressed_cache_size": 0,
    "mmap_cache_size": 32,
    "compiled_expression_cache_size": 8 * MEGABYTE,
    "query_condition_cache_size": 4 * MEGABYTE,
    "vector_similarity_index_cache_size": 0,
    "text_index_tokens_cache_size": 4 * MEGABYTE,
    "text_index_header_cache_size": 4 * MEGABYTE,
    "text_index_postings_cache_size": 8 * MEGABYTE,
    "background_pool_size": _MERGE_THREADS,
    "background_merges_mutations_concurrency_ratio": _MERGES_AT_ONCE // _MERGE_THREADS,
    "background_schedule_pool_size": 4,
    "background_fetches_pool_size": 1,
    "background_common_pool_size": 2,
    "background_move_pool_size": 1,
    "background_distributed_schedule_pool_size": 1,
    "background_message_broker_schedule_pool_size": 1,
    "background_buffer_flush_schedule_pool_size": 1,
    "max_thread_pool_size": 512,
    "max_thread_pool_free_size": 16,
    "async_insert_threads": 1,
}

_MERGES: Final = {
    "number_of_free_entries_in_pool_to_execute_mutation": 1,
    "number_of_free_entries_in_pool_to_lower_max_size_of_merge": 1,
    "number_of_free_entries_in_pool_to_execute_optimize_entire_partition": 1,
}

# Settings that each session starts with. The engine takes a profile's constraints in a session,
# not its values, so the values are set one by one.
BASELINE: Final[dict[User, dict[str, int]]] = {
    "writer": {
        "implicit_select": 0,
        "allow_introspection_functions": 0,
        "max_memory_usage": 500 * MEGABYTE,
    },
    "reader": {
        "implicit_select": 0,
        "allow_introspection_functions": 0,
        "allow_ddl": 0,
        "max_memory_usage": 300 * MEGABYTE,
        "max_execution_time": 60,
        "max_result_rows": 1_000_000,
        "max_result_bytes": 256 * MEGABYTE,
        "max_temporary_data_on_disk_size_for_query": 2048 * MEGABYTE,
    },
}

# Set after the baseline: from here on the constraints hold.
LOCKS: Final[dict[User, dict[str, str]]] = {
    "writer": {"profile": "writer"},
    "reader": {"profile": "reader", "readonly": "2"},
}

# The reader may lower these, and neither raise them nor set them to 0, which means no limit.
_CAPPED: Final = (
    "max_memory_usage",
    "max_execution_time",
    "max_result_rows",
    "max_result_bytes",
    "max_temporary_data_on_disk_size_for_query",
)

# Settings that name a file or a host, or that change how a limit is counted.
_FIXED: Final = (
    "allow_ddl",
    "allow_introspection_functions",
    "format_avro_schema_registry_url",
    "format_schema",
    "format_schema_message_name",
    "format_schema_source",
    "format_template_resultset",
    "format_template_row",
    "max_untracked_memory",
    "memory_overcommit_ratio_denominator",
    "memory_overcommit_ratio_denominator_for_user",
    "output_format_schema",
    "storage_file_read_method",
)

_USERS = """<clickhouse>
  <profiles>
    <default/>
    <reader><constraints>{constraints}</constraints></reader>
    <writer/>
  </profiles>
  <roles>
    <reader><grants>
      <query>GRANT SELECT, CREATE TEMPORARY TABLE ON *.*</query>
      <query>GRANT SHOW DATABASES, SHOW TABLES, SHOW COLUMNS, SHOW DICTIONARIES ON *.*</query>
    </grants></reader>
    <writer><grants><query>GRANT ALL ON *.*</query></grants></writer>
  </roles>
  <users>
    <default>
      <no_password/>
      <networks><ip>127.0.0.1</ip><ip>::1</ip></networks>
      <profile>default</profile>
      <quota>default</quota>
      <grants><query>GRANT reader, writer</query></grants>
    </default>
  </users>
  <quotas><default/></quotas>
</clickhouse>
"""


def _elements(values: dict[str, int]) -> str:
    return "".join(f"<{name}>{value}</{name}>" for name, value in values.items())


def _constraints() -> str:
    caps = (
        f"<{name}><min>1</min><max>{BASELINE['reader'][name]}</max></{name}>" for name in _CAPPED
    )
    fixed = (f"<{name}><const/></{name}>" for name in _FIXED)
    return "".join((*caps, *fixed))


def write_configuration(directory: Path) -> Path:
    """Write the engine's two configuration files and return the path of the main one."""
    directory.mkdir(mode=0o700, exist_ok=True)
    users = directory / "users.xml"
    users.write_text(_USERS.format(constraints=_constraints()))
    main = directory / "config.xml"
    main.write_text(
        "<clickhouse><logger><level>none</level></logger>"
        f"<users_config>{escape(str(users))}</users_config>{_elements(_SERVER)}"
        f"<merge_tree>{_elements(_MERGES)}</merge_tree></clickhouse>\n"
    )
    return main
