"""Every route of the collector's application, read from the application and not from a document."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from agentguard_collector.api import ApiContext, add_api
from agentguard_collector.settings import Settings
from agentguard_storage.control import open_control_plane

__all__ = ["api_routes"]

_NOWHERE: Final = "clickhouse://nobody:none@127.0.0.1:1/none"


def api_routes(folder: Path) -> set[str]:
    """As `GET /api/v1/traces/{trace_id}`; also what the OpenAPI document leaves out."""
    control = open_control_plane(folder)
    try:
        app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)
        settings = Settings(folder, _NOWHERE, "sqlite:///none")
        context = ApiContext.of(control, settings, lambda: True)
        add_api(app, context)
        found = {
            f"{method} {each.path_format}".replace(":path}", "}")
            for each in iter_route_contexts(app.routes)
            for method in each.methods or ()
        }
        context.close()
        return found
    finally:
        control.close()
