"""The one INSERT that brings spans in, and the settings it needs."""

from functools import cache
from importlib.resources import files
from typing import Final

INSERT_QUERY: Final = "INSERT INTO otlp_inbox FORMAT Protobuf"


@cache
def _proto() -> str:
    return files(__package__).joinpath("otlp_inbox.proto").read_text("utf-8")


def insert_settings(token: str) -> dict[str, str]:
    """Settings for one INSERT of length-delimited envelopes.

    `token` names this body: an INSERT with the same token leaves every table as it is, through the
    whole cascade of views
    (https://clickhouse.com/docs/guides/developer/deduplicating-inserts-on-retries).
    """
    return {
        "format_schema_source": "string",
        "format_schema": _proto(),
        "format_schema_message_name": "Envelope",
        "input_format_protobuf_oneof_presence": "1",
        "insert_deduplication_token": token,
        "deduplicate_blocks_in_dependent_materialized_views": "1",
        # The text index is built when parts merge; until then a search reads the few new parts.
        "exclude_materialize_skip_indexes_on_insert": "content_text",
        # Lazily computed branches are computed again at each use: 35 us a span instead of 5.
        "short_circuit_function_evaluation": "disable",
        # A tuple is cheap to carry and to open, unless its elements become columns in the analysis.
        "optimize_functions_to_subcolumns": "0",
        # Views only pass blocks on, which threads make no faster and block order less certain.
        "max_threads": "1",
        "max_insert_threads": "1",
        "parallel_view_processing": "0",
    }
