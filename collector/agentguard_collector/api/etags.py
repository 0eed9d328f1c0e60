"""Answers that the caller has already: ETag and If-None-Match (RFC 9110, section 13.1.2)."""

from __future__ import annotations

from typing import Any, Final

from starlette.requests import Request

__all__ = ["NOT_MODIFIED", "has_it"]

NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    200: {"headers": {"ETag": {"$ref": "#/components/headers/ETag"}}},
    304: {
        "description": "The answer is still the one that the caller has.",
        "headers": {"ETag": {"$ref": "#/components/headers/ETag"}},
    },
}
"""What the OpenAPI document says of a handler that answers so."""


def has_it(request: Request, etag: str) -> bool:
    """Whether the caller has what `etag`, with its quotes, stands for."""
    given = request.headers.get("if-none-match", "")
    return any(each.strip().removeprefix("W/") in (etag, "*") for each in given.split(","))
