"""Spans of all traces: /api/v1/spans."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from agentguard_collector.api.asking import Asking
from agentguard_collector.api.etags import NOT_MODIFIED
from agentguard_collector.api.parameters import Cursor, Limit, When, Where
from agentguard_collector.api.routing import api_router
from agentguard_collector.api.span_models import SpansOut
from agentguard_storage.queries import spans

__all__ = ["router"]


def router() -> APIRouter:
    """Lists of spans."""
    made = api_router("spans")

    @made.get("", response_model=SpansOut, responses=NOT_MODIFIED)
    async def list_spans(
        asking: Asking, when: When, where: Where, limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        """Spans that started within the range and match the filter, the newest first."""
        return await asking.cached(
            lambda reader: SpansOut.members(
                spans.list_spans(reader, when, filter=where, limit=limit, cursor=cursor)
            )
        )

    return made
