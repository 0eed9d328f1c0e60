"""Spans in the formats that other programs read: /api/v1/export."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from agentguard_collector.api.asking import Asking
from agentguard_collector.api.export_stream import ExportStream, Parts
from agentguard_collector.api.parameters import When, Where
from agentguard_collector.api.routing import api_router
from agentguard_collector.api.turns import Turns
from agentguard_storage.export import FORMATS, export
from agentguard_storage.queries.hours import TimeRange

__all__ = ["router"]

FormatName = Literal["json", "ndjson", "csv", "parquet", "otlp-json", "otlp-ndjson"]

# Streams are long: they may not take the turns that questions need.
_AT_ONCE: Final = 4
_AT_ONCE_PER_KEY: Final = 2
_WAIT_S: Final = 5.0

_MEDIA: Final[dict[str, Any]] = {
    each.media_type.partition(";")[0]: {"schema": {}} for each in FORMATS.values()
}
_RESPONSES: Final[dict[int | str, dict[str, Any]]] = {
    200: {
        "description": "The spans, as a stream. One that ends without its last chunk was cut off.",
        "content": _MEDIA,
        "headers": {
            "Content-Disposition": {
                "description": "A name for the file.",
                "schema": {"type": "string"},
            }
        },
    }
}


def router() -> APIRouter:
    """The export of spans."""
    made = api_router("export")
    turns = Turns(_AT_ONCE, _AT_ONCE_PER_KEY, _WAIT_S)

    @made.get("", response_class=Response, responses=_RESPONSES)
    async def export_spans(
        request: Request,
        asking: Asking,
        when: When,
        where: Where,
        format: Annotated[  # noqa: A002 - the parameter's name
            FormatName,
            Query(
                description="`otlp-json` is one document, `otlp-ndjson` one export request a line; "
                "both are what OTLP/HTTP takes.",
                examples=["ndjson"],
            ),
        ] = "ndjson",
    ) -> Response:
        """All spans that started within the range and match the filter, in the store's order.

        Streamed, however many they are, and compressed for clients that accept gzip.
        """
        chosen = FORMATS[format]
        gzip = not chosen.compressed and _accepts_gzip(request)

        def parts() -> Iterator[bytes]:
            found = export(asking.reader(), when, format=format, filter=where)
            return _gzipped(found) if gzip else found

        headers = {
            "Content-Type": chosen.media_type,
            "Content-Disposition": f'attachment; filename="{_file_name(when, chosen.extension)}"',
            "Cache-Control": "private, no-store",
            "Vary": "Accept-Encoding",
            **({"Content-Encoding": "gzip"} if gzip else {}),
        }
        return await ExportStream.begin(Parts(asking, parts), turns, headers)

    return made


def _file_name(when: TimeRange, extension: str) -> str:
    start, end = (f"{each:%Y%m%dT%H%M%SZ}" for each in (when.start, when.end))
    return f"spans-{start}-{end}.{extension}"


def _accepts_gzip(request: Request) -> bool:
    for each in request.headers.get("accept-encoding", "").lower().split(","):
        name, _, quality = each.partition(";")
        if name.strip() in ("gzip", "*"):
            return quality.replace(" ", "").rstrip("0.") != "q="
    return False


def _gzipped(parts: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(level=3, wbits=31)
    for part in parts:
        if packed := packer.compress(part):
            yield packed
    yield packer.flush()
