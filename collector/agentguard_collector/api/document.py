"""The OpenAPI document: what FastAPI writes of the handlers, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final
from zoneinfo import available_timezones

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from fastapi.routing import APIRoute, iter_route_contexts

from agentguard_collector.api.links import links_of
from agentguard_collector.api.parameters import TIME_ZONE
from agentguard_collector.api.problems import PROBLEM_JSON, Problem
from agentguard_collector.api.routing import needs

__all__ = ["TAGS", "VERSION", "document"]

VERSION: Final = "1.0"

_DESCRIPTION: Final = """\
What agents did, cost and were stopped for; their budgets, stops and prices.

Send an API key as `Authorization: Bearer agk_...`; it sees its own project alone. Times are UTC in
ISO 8601. Money is in US dollars: numbers for convenience, and where a name ends in `_exact`, the
same as a decimal text. Lists come in pages: hand `next_cursor` back as `cursor`. What goes wrong is
told as `application/problem+json`.
"""

TAGS: Final = [
    {"name": "traces", "description": "Runs of agents: lists, one in detail, two compared."},
    {"name": "spans", "description": "Single model calls, tool calls and agents' steps."},
    {"name": "sessions", "description": "Conversations: several traces of one user."},
    {"name": "alerts", "description": "What guards stopped, and what failed."},
    {"name": "usage", "description": "How much was recorded."},
    {"name": "costs", "description": "What models cost, and what stops saved."},
    {"name": "metrics", "description": "Any measure, by any dimension, over time."},
    {"name": "export", "description": "Everything, for other programs."},
    {"name": "filters", "description": "Help with writing filters."},
    {"name": "budgets", "description": "What may be spent: shared by all processes of a project."},
    {"name": "stops", "description": "Orders to stop running agents."},
    {"name": "prices", "description": "A project's own prices."},
    {"name": "shares", "description": "Links to single traces."},
    {"name": "annotations", "description": "Notes on traces and spans."},
]

_PROBLEMS: Final = {
    400: "Something in the request is not as this document says.",
    401: "There is no API key, or it is not valid.",
    403: "The key has not got the scope.",
    404: "There is no such thing in the key's project.",
    409: "The id was used before, for something else.",
    413: "The body is too large.",
    415: "The body is not JSON.",
    422: "As this document says, and yet impossible: a filter with a mistake, a range that ends "
    "before it begins, another question's cursor, more than one question may take.",
    429: "The key asks too often, or too much at once.",
    500: "A mistake in the server.",
    503: "The store or the control plane does not answer.",
}
_TEXT: Final = {"type": "string"}
_HEADERS: Final[dict[str, dict[str, Any]]] = {
    "RateLimit": {"description": "What is left: `r` requests, anew in `t` s.", "schema": _TEXT},
    "RateLimit-Policy": {"description": "`q` requests in `w` seconds.", "schema": _TEXT},
    "Retry-After": {"description": "Seconds.", "schema": {"type": "integer", "minimum": 1}},
    "WWW-Authenticate": {"description": "RFC 6750.", "schema": _TEXT},
    "ETag": {"description": "Send it as If-None-Match.", "schema": _TEXT},
}
_OF_STATUS: Final = {429: ["Retry-After"], 503: ["Retry-After"], 401: ["WWW-Authenticate"]}


def document(app: FastAPI) -> dict[str, Any]:
    """Write the document of an application, once."""
    if app.openapi_schema is None:
        app.openapi_schema = _written(app)
    return app.openapi_schema


def _written(app: FastAPI) -> dict[str, Any]:
    found = get_openapi(
        title="AgentGuard",
        version=VERSION,
        description=_DESCRIPTION,
        routes=app.routes,
        tags=TAGS,
    )
    found["servers"] = [{"url": "/"}]
    components = found.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    schemas["Problem"] = Problem.model_json_schema()
    schemas["TimeZone"] = {"type": "string", "enum": sorted(available_timezones())}
    components["headers"] = _HEADERS
    components["securitySchemes"] = {
        "key": {
            "type": "http",
            "scheme": "bearer",
            "description": "An API key; `agentguard keys create` makes one.",
        }
    }
    for path, method, route in _operations(app):
        _complete(found["paths"][path][method], route)
    _name_zones(found)
    used = {
        tag for methods in found["paths"].values() for op in methods.values() for tag in op["tags"]
    }
    found["tags"] = [tag for tag in TAGS if tag["name"] in used]
    return found


def _operations(app: FastAPI) -> Iterator[tuple[str, str, APIRoute]]:
    for each in iter_route_contexts(app.routes):
        route = each.original_route
        if isinstance(route, APIRoute) and each.include_in_schema:
            for method in sorted(each.methods or ()):
                yield str(each.path_format), method.lower(), route


def _complete(operation: dict[str, Any], route: APIRoute) -> None:
    """Say of an operation what holds for it as for the others."""
    responses = operation["responses"]
    own = {int(status) for status in responses} - {422}
    responses.pop("422", None)
    may = needs(route)
    statuses = {400, 500, 503} | (own & _PROBLEMS.keys())
    if may is not None:
        statuses |= {401, 403, 429}
        operation["security"] = [{"key": []}]
        scopes = " or ".join(f"`{scope}`" for scope in may.scopes)
        text = operation.get("description", "")
        operation["description"] = f"{text}\n\nFor keys with the scope {scopes}.".strip()
        if may.policy == "read":
            statuses.add(422)
    if route.body_field is not None:
        statuses |= {413, 415, 422}
    if "{" in route.path or "{" in operation.get("operationId", ""):
        statuses.add(404)
    for status in sorted(statuses):
        responses[str(status)] = _problem(status, rated=may is not None)
    for status in sorted(own - statuses):
        if may is not None:
            headers = responses[str(status)].setdefault("headers", {})
            headers.update(_referred("RateLimit", "RateLimit-Policy"))
        if links := links_of(operation["operationId"]):
            responses[str(status)]["links"] = links
    operation["responses"] = dict(sorted(responses.items()))


def _name_zones(part: Any) -> None:
    """Say wherever a time zone is asked for which ones there are, once for all of them."""
    if isinstance(part, dict):
        if part.get("format") == TIME_ZONE:
            for name in ("type", "format", "pattern", "maxLength"):
                part.pop(name, None)
            part["$ref"] = "#/components/schemas/TimeZone"
        for each in part.values():
            _name_zones(each)
    elif isinstance(part, list):
        for each in part:
            _name_zones(each)


def _problem(status: int, *, rated: bool) -> dict[str, Any]:
    names = list(_OF_STATUS.get(status, []))
    if rated and status not in (401, 403, 500, 503):
        names += ["RateLimit", "RateLimit-Policy"]
    found: dict[str, Any] = {
        "description": _PROBLEMS[status],
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    if names:
        found["headers"] = _referred(*names)
    return found


def _referred(*names: str) -> dict[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}
