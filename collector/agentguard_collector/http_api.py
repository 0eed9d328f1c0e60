"""OTLP and agentguard47's lines over HTTP, and what operators ask for, on one application."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from agentguard_collector.agentguard47 import convert
from agentguard_collector.agentguard47_costs import CostLedger
from agentguard_collector.api import ApiContext, add_api
from agentguard_collector.api.mounted import Mounted
from agentguard_collector.auth import Principal
from agentguard_collector.errors import (
    BadData,
    MethodNotAllowed,
    Refusal,
    TooLarge,
    Unavailable,
    UnsupportedMedia,
)
from agentguard_collector.intake import Intake
from agentguard_collector.replies import (
    JSON,
    PROTOBUF,
    refusal_body,
    refusal_headers,
    success_body,
)

__all__ = ["create_app"]

logger = logging.getLogger(__name__)

_NDJSON = ("application/x-ndjson", "application/jsonl")
_INLINE_BYTES = 32 * 1024

# A global provider in this process, or variables of the environment, would have FastAPI trace.
_UNTRACED: Final[TelemetryConfig] = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}

Readiness = Callable[[], Awaitable[dict[str, object]]]


def create_app(
    intake: Intake,
    readiness: Readiness,
    api: ApiContext | None = None,
    mounted: Mounted | None = None,
) -> ASGIApp:
    """Build the application. `readiness` returns what /readyz shows; its "ready" decides.

    With an `api`, what is under /api/v1 is served as well, and beside it what is `mounted`.
    """
    traces = TracesEndpoint(intake)
    others = _operators_app(intake, readiness)
    if api is not None:
        add_api(others, api)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Middleware and routing would cost a fifth of what a batch costs otherwise.
        hot = scope["type"] == "http" and scope["path"] == "/v1/traces"
        if hot:
            await traces(scope, receive, send)
        else:
            await (await beside(scope) or others)(scope, receive, send)

    async def beside(scope: Scope) -> ASGIApp | None:
        return await mounted.app_for(scope["path"]) if mounted and scope["type"] == "http" else None

    return app


def _operators_app(intake: Intake, readiness: Readiness) -> FastAPI:
    app = FastAPI(openapi_url=None, redirect_slashes=False, telemetry=_UNTRACED)

    async def healthz(_: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def readyz(_: Request) -> Response:
        state = await readiness()
        return JSONResponse(state, status_code=200 if state["ready"] else 503)

    async def metrics(_: Request) -> Response:
        return Response(intake.metrics.render(), media_type="text/plain; version=0.0.4")

    app.router.routes += [
        Route("/api/ingest", LinesEndpoint(intake), include_in_schema=False),
        Route("/healthz", healthz),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
    ]
    return app


class TracesEndpoint:
    """POST /v1/traces. https://opentelemetry.io/docs/specs/otlp/#otlphttp"""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        request = Request(scope, receive)
        media = _media_type(request)
        try:
            response = await self._export(request, media)
        except ClientDisconnect:
            return
        except Refusal as refusal:
            response = self._refused(refusal, media)
        except Exception:
            logger.exception("a request failed unexpectedly")
            response = self._refused(
                Unavailable("internal error", reason="internal", retry_after=5), media
            )
        await response(scope, receive, send)

    async def _export(self, request: Request, media: str) -> Response:
        principal, body = await self._admit(request, media, (PROTOBUF, JSON))
        answer = await self._intake.accept(principal, body, json=media == JSON)
        return Response(success_body(answer, media), media_type=media)

    async def _admit(
        self, request: Request, media: str, spoken: tuple[str, ...]
    ) -> tuple[Principal, bytes]:
        """Return who sends and the decompressed body, which is not read for others."""
        if request.method != "POST":
            raise MethodNotAllowed(f"{request.method} is not possible here; use POST")
        principal = await self._intake.admit(_credentials(request), "http")
        if media not in spoken:
            raise UnsupportedMedia(
                f"content type {media[:80]!r} is not supported; use {' or '.join(spoken)}"
            )
        encoding = request.headers.get("content-encoding", "identity").strip().lower()
        data = await self._body(request)
        return principal, await self._intake.inflate(data, encoding)

    async def _body(self, request: Request) -> bytes:
        """Read the body, no more of it than the limit."""
        limit = self._intake.max_body_bytes
        declared = request.headers.get("content-length", "0")
        if not declared.isdigit():
            raise BadData("Content-Length is not a number")
        if int(declared) > limit:
            raise _too_large(limit)
        parts, size = [], 0
        async for chunk in request.stream():
            size += len(chunk)
            if size > limit:
                raise _too_large(limit)
            parts.append(chunk)
        return b"".join(parts)

    def _refused(self, refusal: Refusal, media: str) -> Response:
        self._intake.refuse(refusal)
        media = media if media in (PROTOBUF, JSON) else JSON
        return Response(
            refusal_body(refusal, media),
            status_code=refusal.http_status,
            headers=refusal_headers(refusal),
            media_type=media,
        )


class LinesEndpoint(TracesEndpoint):
    """POST /api/ingest: what agentguard47's HttpSink sends, taken the way that OTLP takes.

    Answers `{accepted, rejected, errors: [{line, error}]}`, with 400 if no line could be taken. No
    use is made of `Idempotency-Key`: lines that come again are recognised whatever they come in.
    """

    def __init__(self, intake: Intake) -> None:
        super().__init__(intake)
        self._ledger = CostLedger()

    async def _export(self, request: Request, media: str) -> Response:
        principal, body = await self._admit(request, media, _NDJSON)
        # Large bodies are rare and would hold up everything else.
        given = (body, principal.project_id, self._ledger)
        large = len(body) > _INLINE_BYTES
        found = await asyncio.to_thread(convert, *given) if large else convert(*given)
        if found.request.resource_spans:
            await self._intake.accept(principal, found.request.SerializeToString())
        self._intake.metrics.rejected.inc(found.rejected)
        answer = {
            "accepted": found.accepted,
            "rejected": found.rejected,
            "errors": found.errors,
        }
        useless = found.rejected and not found.accepted
        return JSONResponse(answer, status_code=400 if useless else 200)


def _media_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _credentials(request: Request) -> str | None:
    return request.headers.get("authorization") or request.headers.get("x-api-key")


def _too_large(limit: int) -> TooLarge:
    return TooLarge(f"the body is larger than {limit} bytes; send smaller batches")
