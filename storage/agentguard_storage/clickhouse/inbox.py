"""The one INSERT that brings spans in, and the settings it needs."""

from functools import cache
from importlib.resources import files
from typing import Final

INSERT_QUERY: Final = "INSERT INTO otlp_inbox FORMAT Protobuf"

# The views are analysed anew at each INSERT, and each of these walks all of them to look for what
# is not there or saves nothing: together a sixth of what an INSERT costs whatever is in it.
_NOT_WORTH_IT: Final = (
    "compile_aggregate_expressions",
    "compile_expressions",
    "optimize_and_compare_chain",
    "optimize_arithmetic_operations_in_aggregate_functions",
    "optimize_extract_common_expressions",
    "optimize_group_by_function_keys",
    "optimize_injective_functions_in_group_by",
    "optimize_multiif_to_if",
    "optimize_normalize_count_variants",
    "optimize_redundant_functions_in_order_by",
    "optimize_rewrite_aggregate_function_with_if",
    "optimize_rewrite_sum_if_to_count_if",
    "optimize_time_filter_with_preimage",
    "query_plan_enable_optimizations",
)


# Indexes that are built when parts merge; until then a search reads the few new parts.
_LATER: Final = (
    "content_text",
    "said_text",
    "content_keys",
    "named",
    "attribute_keys",
    "attribute_values",
)


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
        "exclude_materialize_skip_indexes_on_insert": ",".join(_LATER),
        # Lazily computed branches are computed again at each use: 35 us a span instead of 5.
        "short_circuit_function_evaluation": "disable",
        # A tuple is cheap to carry and to open, unless its elements become columns in the analysis.
        "optimize_functions_to_subcolumns": "0",
        **dict.fromkeys(_NOT_WORTH_IT, "0"),
        # Views only pass blocks on, which threads make no faster and block order less certain.
        "max_threads": "1",
        "max_insert_threads": "1",
        "parallel_view_processing": "0",
    }
