"""OTLP over gRPC. Request bytes are taken as they are: they are parsed once, by the intake."""

from __future__ import annotations

import logging
from typing import Any

import grpc
import grpc.aio

from agentguard_collector.errors import Refusal, Unavailable
from agentguard_collector.intake import Intake
from agentguard_collector.replies import PROTOBUF, rpc_status, success_body

__all__ = ["create_server"]

logger = logging.getLogger(__name__)

_SERVICE = "opentelemetry.proto.collector.trace.v1.TraceService"


def create_server(intake: Intake, address: str) -> tuple[grpc.aio.Server, int]:
    """Build the server; return it with the port it will listen on.

    gRPC itself undoes gzip and holds messages to the limit, before and after.
    Raises RuntimeError when the port is taken.
    """
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", intake.max_body_bytes),
            ("grpc.so_reuseport", 1),
        ]
    )
    handler = grpc.unary_unary_rpc_method_handler(TraceService(intake).export)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(_SERVICE, {"Export": handler}),)
    )
    return server, server.add_insecure_port(address)


class TraceService:
    """The one method is Export. https://opentelemetry.io/docs/specs/otlp/#otlpgrpc"""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake

    async def export(self, body: bytes, context: grpc.aio.ServicerContext[Any, Any]) -> bytes:
        """Answer one call."""
        try:
            principal = await self._intake.admit(_credentials(context), "grpc")
            answer = await self._intake.accept(principal, body)
        except Refusal as refusal:
            await self._refuse(context, refusal)
        except Exception:
            logger.exception("a call failed unexpectedly")
            await self._refuse(
                context, Unavailable("internal error", reason="internal", retry_after=5)
            )
        return success_body(answer, PROTOBUF)

    async def _refuse(self, context: grpc.aio.ServicerContext[Any, Any], refusal: Refusal) -> None:
        self._intake.refuse(refusal)
        status = rpc_status(refusal)
        # https://grpc.io/docs/guides/error/: the richer error model travels in this trailer.
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
        await context.abort(refusal.grpc_status, status.message)


def _credentials(context: grpc.aio.ServicerContext[Any, Any]) -> str | None:
    given = dict(context.invocation_metadata() or ())
    found = given.get("authorization") or given.get("x-api-key")
    return found if isinstance(found, str) else None
