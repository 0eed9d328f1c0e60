"""What is told of a request that could not be answered: application/problem+json, RFC 9457.

`detail` is a sentence for people, `code` a word for programs. An engine's message, a stack trace
or what the caller sent are never part of it. A request that the OpenAPI document does not allow is
told 400; one that it allows, but that cannot be meant (a filter with a mistake, a range that ends
before it begins), 422.
"""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

from pydantic import BaseModel, Field
from starlette.requests import Request
from starlette.responses import Response

__all__ = ["PROBLEM_JSON", "Problem", "problem_response"]

PROBLEM_JSON: Final = "application/problem+json"
# RFC 9110 gave them other names, which Python 3.11 does not know yet.
_TITLES: Final = {413: "Content Too Large", 422: "Unprocessable Content"}
_LONGEST: Final = 1_000


class Problem(BaseModel):
    """Why a request was not answered, and what to do about it."""

    type: str = Field("about:blank", description="Always `about:blank`: `code` tells more.")
    title: str = Field(description="The status in words.")
    status: int = Field(description="The HTTP status code.")
    code: str = Field(description="What went wrong, as one word for programs.")
    detail: str = Field(description="What is wrong, where, and what to do next.")
    where: str | None = Field(None, description="The parameter at fault.")
    column: int | None = Field(None, description="Where in the filter; the first is 1.")
    suggestion: str | None = Field(None, description="What may have been meant in the filter.")

    model_config = {
        "json_schema_extra": {
            "examples": [
                {
                    "type": "about:blank",
                    "title": "Unprocessable Content",
                    "status": 422,
                    "code": "invalid_query",
                    "detail": "unknown field 'modle' at column 1; did you mean 'model'?",
                    "where": "filter",
                    "column": 1,
                    "suggestion": "model",
                }
            ]
        }
    }


def problem_response(
    request: Request,
    status: int,
    code: str,
    detail: str,
    *,
    headers: dict[str, str] | None = None,
    **more: object,
) -> Response:
    """A response with a problem; `more` are its other members, None for those it has not.

    What the caller's key has left is told here too, once it is known.
    """
    problem = Problem(
        title=_title(status),
        status=status,
        code=code,
        detail=detail[:_LONGEST],
        **more,  # type: ignore[arg-type]
    )
    known: dict[str, str] = getattr(request.state, "headers", {})
    return Response(
        problem.model_dump_json(exclude_none=True),
        status_code=status,
        headers={"Cache-Control": "no-store", **known, **(headers or {})},
        media_type=PROBLEM_JSON,
    )


def _title(status: int) -> str:
    return _TITLES.get(status) or HTTPStatus(status).phrase
