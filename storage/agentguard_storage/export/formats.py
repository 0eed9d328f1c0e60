"""The formats, and the one way to an export in any of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from agentguard_storage.export.chunks import chunks
from agentguard_storage.export.otlp_json import otlp_document, otlp_requests
from agentguard_storage.export.tables import comma_separated, json_array, json_lines
from agentguard_storage.filters import Filter
from agentguard_storage.queries.errors import InvalidQuery
from agentguard_storage.queries.export import Slice, slices
from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.reader import Reader

__all__ = ["FORMATS", "Format", "export"]


@dataclass(frozen=True, slots=True)
class Format:
    """How spans are written; `extension` is what a file's name ends with."""

    media_type: str
    extension: str
    write: Callable[[Iterable[Slice]], Iterator[bytes]]
    compressed: bool = False


def _parquet(found: Iterable[Slice]) -> Iterator[bytes]:
    # Arrow takes a quarter of a second to import, and memory that every collector would keep.
    from agentguard_storage.export.parquet import parquet

    return parquet(found)


FORMATS: Final = {
    "json": Format("application/json", "json", json_array),
    "ndjson": Format("application/x-ndjson", "ndjson", json_lines),
    "csv": Format("text/csv; charset=utf-8; header=present", "csv", comma_separated),
    "parquet": Format("application/vnd.apache.parquet", "parquet", _parquet, compressed=True),
    "otlp-json": Format("application/json", "otlp.json", otlp_document),
    "otlp-ndjson": Format("application/x-ndjson", "otlp.ndjson", otlp_requests),
}
"""By the names that users give."""


def export(
    reader: Reader,
    time_range: TimeRange,
    *,
    format: str,  # noqa: A002 - the name that users give
    filter: Filter | None = None,  # noqa: A002
) -> Iterator[bytes]:
    """Return the spans that started in the range and match the filter, in pieces of about 256 KB.

    Raises InvalidQuery for an unknown format at once. The iterator raises QueryError, also in the
    middle: what came before is no whole document then.
    """
    if format not in FORMATS:
        known = ", ".join(FORMATS)
        raise InvalidQuery(f"there is no format {format[:40]!r}; use {known}", where="format")
    return chunks(FORMATS[format].write(slices(reader, time_range, filter=filter)))
