"""What becomes a problem, and which one: errors of the API, the queries and the control plane."""

from __future__ import annotations

import logging
import math
from typing import Final

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.routing import iter_route_contexts
from sqlalchemy.exc import IntegrityError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from agentguard_collector.api.problems import problem_response
from agentguard_collector.api.refusals import MissingScope, NotJson, Unprocessable
from agentguard_collector.errors import (
    Conflict,
    NotFound,
    Refusal,
    Unauthenticated,
    Unavailable,
)
from agentguard_storage.control.errors import (
    ControlError,
    ControlPlaneUnavailable,
    InvalidValue,
    ReservationConflict,
    UnknownAnnotation,
    UnknownBudget,
    UnknownReservation,
    UnknownShare,
    UnknownStop,
)
from agentguard_storage.queries.errors import InvalidQuery, QueryError, QueryTooLarge

__all__ = ["add_problems"]

logger = logging.getLogger(__name__)

_FAULTS: Final = 5
_MISSING = (
    UnknownAnnotation,
    UnknownBudget,
    UnknownReservation,
    UnknownShare,
    UnknownStop,
)


def add_problems(app: FastAPI) -> None:
    """Have the application tell all that goes wrong as a problem."""
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(QueryError, _not_answered)
    app.add_exception_handler(ControlError, _not_done)
    app.add_exception_handler(IntegrityError, _raced)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _not_routed)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(Exception, _unexpected)


async def _refused(request: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)  # noqa: S101 - what it is registered for
    headers = {}
    if refusal.retry_after is not None:
        headers["Retry-After"] = str(math.ceil(refusal.retry_after))
    if isinstance(refusal, Unauthenticated):
        headers["WWW-Authenticate"] = _challenge(request, refusal)
    elif isinstance(refusal, MissingScope):
        headers["WWW-Authenticate"] = (
            f'Bearer realm="agentguard", error="insufficient_scope", scope="{refusal.scope}"'
        )
    elif isinstance(refusal, NotJson):
        headers["Accept"] = refusal.accepted
    return problem_response(
        request, refusal.http_status, refusal.reason, refusal.message, headers=headers
    )


def _challenge(request: Request, refusal: Unauthenticated) -> str:
    """What RFC 6750, section 3, asks for: no error is named where no key was given."""
    if not (request.headers.get("authorization") or request.headers.get("x-api-key")):
        return 'Bearer realm="agentguard"'
    text = "".join(each for each in refusal.message if " " <= each <= "~" and each not in '"\\')
    return f'Bearer realm="agentguard", error="invalid_token", error_description="{text}"'


async def _not_answered(request: Request, error: Exception) -> Response:
    if isinstance(error, InvalidQuery):
        return problem_response(
            request,
            422,
            "invalid_query",
            str(error),
            where=error.where,
            column=getattr(error, "column", None),
            suggestion=getattr(error, "suggestion", None),
        )
    if isinstance(error, QueryTooLarge):
        return problem_response(request, 422, "query_too_large", str(error))
    headers = {"Retry-After": "2"}
    return problem_response(request, 503, "store_unavailable", str(error), headers=headers)


async def _not_done(request: Request, error: Exception) -> Response:
    return await _refused(request, _as_refusal(error))


def _as_refusal(error: Exception) -> Refusal:
    if isinstance(error, _MISSING):
        return NotFound(str(error))
    if isinstance(error, ReservationConflict):
        return Conflict(str(error))
    if isinstance(error, InvalidValue):
        return Unprocessable(str(error))
    message = "the control plane does not answer at the moment"
    if not isinstance(error, ControlPlaneUnavailable):
        logger.warning("the control plane failed", exc_info=error)
        message = "the control plane cannot be used"
    return Unavailable(message, reason="control_plane", retry_after=2)


async def _raced(request: Request, _: Exception) -> Response:
    """Two requests made the same thing at the same time: asked again, one finds the other's."""
    message = "the same was changed by another request at this moment"
    return await _refused(request, Unavailable(message, reason="control_plane", retry_after=1))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    # What was sent is not repeated: it may be long, or nobody's business.
    faults = error.errors()[:_FAULTS]
    texts = [f"{_place(fault['loc'])}: {fault['msg']}" for fault in faults]
    where = str(faults[0]["loc"][1]) if faults and len(faults[0]["loc"]) > 1 else None
    return problem_response(request, 400, "bad_data", "; ".join(texts), where=where)


def _place(parts: tuple[int | str, ...]) -> str:
    return ".".join(str(part) for part in parts)


async def _not_routed(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101 - what it is registered for
    status, headers = error.status_code, dict(error.headers or {})
    if status == 404:
        detail = "there is nothing at this address; /api/v1/openapi.json tells what there is"
        return problem_response(request, 404, "not_found", detail)
    if status == 405:
        headers["Allow"] = _allowed(request) or headers.get("Allow", "GET")
        detail = f"this is not possible here; use {headers['Allow']}"
        return problem_response(request, 405, "method_not_allowed", detail, headers=headers)
    if status == 413:
        return problem_response(request, 413, "too_large", "a body is at most 1 MiB here")
    return problem_response(request, status, "bad_data", str(error.detail), headers=headers)


def _allowed(request: Request) -> str:
    """All methods of a path: those of one path may be different routes."""
    methods: set[str] = set()
    for route in iter_route_contexts(request.app.routes):
        pattern = getattr(route, "path_regex", None)
        if pattern is not None and pattern.match(request.url.path):
            methods |= route.methods or set()
    return ", ".join(sorted(methods))


async def _gone(request: Request, _: Exception) -> Response:
    """Nobody hears it; the application has to answer something."""
    return problem_response(request, 503, "client_gone", "the connection was closed")


async def _unexpected(request: Request, _: Exception) -> Response:
    # The server logs it: Starlette raises it again after this.
    return problem_response(
        request,
        500,
        "internal",
        "something went wrong here that should not; the server's log tells more",
    )
