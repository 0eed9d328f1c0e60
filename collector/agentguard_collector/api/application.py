"""The API, put together on the collector's application."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from agentguard_collector.api import (
    alerts,
    budget_check,
    budgets,
    complete,
    costs,
    export,
    metrics,
    prices,
    sessions,
    shares,
    spans,
    stops,
    traces,
    usage,
)
from agentguard_collector.api import annotations as notes
from agentguard_collector.api.context import ApiContext
from agentguard_collector.api.document import document
from agentguard_collector.api.failures import add_problems

__all__ = ["PREFIX", "add_api"]

PREFIX: Final = "/api/v1"


def add_api(app: FastAPI, context: ApiContext) -> None:
    """Serve the API on the application."""
    app.state.api = context
    control = context.control
    for path, router in (
        ("/traces", traces.router()),
        ("/spans", spans.router()),
        ("/sessions", sessions.router()),
        ("/alerts", alerts.router()),
        ("/usage", usage.router()),
        ("/costs", costs.router()),
        ("/metrics", metrics.router()),
        ("/export", export.router()),
        ("/complete", complete.router()),
        ("/budgets", budgets.router(control)),
        ("/budgets", budget_check.router(control)),
        ("/stops", stops.router(control, context.is_open)),
        ("/prices", prices.router(control)),
        ("/shares", shares.router(control)),
        ("/annotations", notes.router(control)),
    ):
        app.include_router(router, prefix=PREFIX + path)
    add_problems(app)

    async def openapi(_: Request) -> JSONResponse:
        return JSONResponse(document(app), headers={"Cache-Control": "public, max-age=300"})

    app.router.routes.append(Route(f"{PREFIX}/openapi.json", openapi, methods=["GET"]))
