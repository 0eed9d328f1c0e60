"""A project's own prices: /api/v1/prices."""

from __future__ import annotations

import hashlib

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from agentguard.prices.overrides import Override
from agentguard_collector.api.access import Ingest
from agentguard_collector.api.etags import NOT_MODIFIED, has_it
from agentguard_collector.api.routing import api_router
from agentguard_storage.control import ControlPlane

__all__ = ["router"]


class PricesOut(BaseModel):
    """The entries as a file of overrides has them, the one that wins first; dollars are texts.

    `version` is the ETag's.
    """

    version: str
    prices: list[Override]


def router(control: ControlPlane) -> APIRouter:
    """What guards need to know of the prices that people set."""
    made = api_router("prices")

    @made.get("", response_model=PricesOut, responses=NOT_MODIFIED)
    def list_prices(request: Request, who: Ingest) -> Response:
        """The project's own prices; 304 where the caller has them, by their ETag."""
        prices = [each.override for each in control.prices.list(who.project_id)]
        version = hashlib.sha256(repr(prices).encode()).hexdigest()[:16]
        headers = {"ETag": f'"{version}"', "Cache-Control": "private, no-cache"}
        if has_it(request, headers["ETag"]):
            return Response(status_code=304, headers=headers)
        answer = PricesOut(version=version, prices=prices)
        content = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
        return JSONResponse(content, headers=headers)

    return made
