"""What every request to the API goes through before its handler: key, rate, form.

    401 who is it?  403 may they?  429 so often?  415 413 in this form?  400 with these parameters?

Bodies of requests that end before are not read.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from enum import Enum
from typing import Any, Final, get_args, get_origin

from fastapi import APIRouter
from fastapi.dependencies.models import Dependant
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message

from agentguard_collector.api.access import May, verified
from agentguard_collector.api.context import context_of
from agentguard_collector.api.refusals import NotJson

__all__ = ["MAX_BODY_BYTES", "MISSING", "ApiRoute", "api_router", "needs"]

MAX_BODY_BYTES: Final = 1 << 20
MISSING: Final[dict[int | str, dict[str, Any]]] = {404: {}}
"""What the OpenAPI document says of a handler that may find nothing."""

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class ApiRoute(APIRoute):
    """A route whose handler has a parameter of `access`: whom it is for."""

    def get_route_handler(self) -> _Handler:
        """The handler, behind everything that is checked first."""
        handle = super().get_route_handler()
        may = needs(self)
        known = dict(_query_names(self.dependant))
        takes_body = self.body_field is not None

        async def guarded(request: Request) -> Response:
            if may is not None:
                await _admit(request, may)
            if takes_body:
                _check_form(request)
                request = _bounded(request)
            _check_names(request, known)
            response = await handle(request)
            for name, value in getattr(request.state, "headers", {}).items():
                response.headers.setdefault(name, value)
            response.headers.setdefault("Cache-Control", "no-store")
            return response

        return guarded


def api_router(tag: str) -> APIRouter:
    """A router whose routes are `ApiRoute`s, under this tag in the OpenAPI document."""
    tags: list[str | Enum] = [tag]
    return APIRouter(
        route_class=ApiRoute, tags=tags, generate_unique_id_function=lambda route: route.name
    )


def needs(route: APIRoute) -> May | None:
    """What a key needs for a route; None for a route that is for everybody."""
    for dependant in _all(route.dependant):
        if isinstance(dependant.call, May):
            return dependant.call
    return None


def _all(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for each in dependant.dependencies:
        yield from _all(each)


def _query_names(dependant: Dependant) -> Iterator[tuple[str, bool]]:
    """The parameters, and whether each may be given several times."""
    for each in _all(dependant):
        for parameter in each.query_params:
            kind = parameter.field_info.annotation
            yield parameter.alias, any(get_origin(it) is list for it in (kind, *get_args(kind)))


async def _admit(request: Request, may: May) -> None:
    context = context_of(request)
    request.state.principal = await verified(context.control, request, may)
    left = context.rates.spend(request.state.principal.key_id, may.policy)
    request.state.headers = left.headers()
    left.check()


def _check_form(request: Request) -> None:
    headers = request.headers
    media = headers.get("content-type", "").partition(";")[0].strip().lower()
    empty = headers.get("content-length", "0") == "0" and "transfer-encoding" not in headers
    declared = headers.get("content-length", "0")
    if not declared.isdigit() or int(declared) > MAX_BODY_BYTES:
        raise HTTPException(413)
    if media != NotJson.accepted and not (empty and not media):
        raise NotJson


def _bounded(request: Request) -> Request:
    """The request, whose body ends the reading of it where it is too large."""
    size = 0

    async def receive() -> Message:
        nonlocal size
        message = await request.receive()
        size += len(message.get("body", b""))
        if size > MAX_BODY_BYTES:
            # What FastAPI lets through from here: everything else it takes for a broken body.
            raise HTTPException(413)
        return message

    return Request(request.scope, receive)


def _check_names(request: Request, known: Mapping[str, bool]) -> None:
    """A misspelt parameter would be no parameter, and the answer one to another question."""
    names = [name for name, _ in request.query_params.multi_items()]
    for name in names:
        if name not in known:
            raise _fault(name, f"there is no such parameter; there are: {_listed(known)}")
        if names.count(name) > 1 and not known[name]:
            raise _fault(name, "give it once")


def _fault(name: str, message: str) -> RequestValidationError:
    shown = "".join(each for each in name[:40] if each.isprintable())
    return RequestValidationError([{"loc": ("query", shown), "msg": message, "type": "query"}])


def _listed(known: Iterable[str]) -> str:
    return ", ".join(sorted(known)) or "none"
