"""From a decompressed body to an acknowledgement, whatever the transport."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from agentguard_collector import otlp_json
from agentguard_collector.auth import Principal, Verifier, authenticate
from agentguard_collector.clock import SteadyClock
from agentguard_collector.committer import Committer
from agentguard_collector.compression import decompress
from agentguard_collector.envelope import Envelope
from agentguard_collector.errors import Refusal, Unavailable
from agentguard_collector.limits import RateLimiter
from agentguard_collector.metrics import Metrics
from agentguard_collector.otlp import Batch, Rejections, read
from agentguard_collector.seen import project_prefix

__all__ = ["Intake"]

_INLINE_BYTES = 32 * 1024
_ODD_TIMES = "kept {} spans whose times are odd: zero, in the future, or ending before they start"


@dataclass(slots=True)
class Intake:
    """Receives for one worker. `open` turns False when shutdown begins."""

    verifier: Verifier
    limiter: RateLimiter
    committer: Committer
    metrics: Metrics
    max_body_bytes: int
    open: bool = True
    clock: SteadyClock = field(default_factory=SteadyClock)

    async def admit(self, authorization: str | None, transport: str) -> Principal:
        """Say whether the sender may send, before its body is read. Raises Refusal."""
        self.metrics.received.labels(transport).inc()
        if not self.open:
            raise Unavailable("shutting down", reason="shutting_down", retry_after=2)
        return await authenticate(self.verifier, authorization, "ingest")

    async def inflate(self, data: bytes, encoding: str) -> bytes:
        """Decompress, in a thread when it takes long enough to be worth it. Raises Refusal."""
        if encoding == "identity" or len(data) < _INLINE_BYTES:
            return decompress(data, encoding, self.max_body_bytes)
        return await asyncio.to_thread(decompress, data, encoding, self.max_body_bytes)

    async def accept(
        self, principal: Principal, body: bytes, *, json: bool = False
    ) -> ExportTraceServiceResponse:
        """Return once every valid span of the body is durable. Raises Refusal."""
        self.metrics.received_bytes.inc(len(body))
        rejected = Rejections()
        if json:
            body = otlp_json.to_protobuf(body, rejected)
        now = self.clock.now()
        batch = read(body, project_prefix(principal.project_id), now, rejected)
        self.limiter.spend(principal.key_id, batch.spans, len(body))
        if batch.spans:
            head = Envelope(
                principal.project_id, now, principal.retention_days, principal.region, b""
            )
            stored = await self.committer.store(head, batch)
            self.metrics.accepted.inc(stored.fresh)
            self.metrics.duplicates.inc(stored.duplicates)
        return self._answer(batch)

    def refuse(self, refusal: Refusal) -> None:
        """Count a request that is refused as a whole."""
        self.metrics.refused.labels(refusal.reason).inc()

    def _answer(self, batch: Batch) -> ExportTraceServiceResponse:
        response = ExportTraceServiceResponse()
        rejected = batch.rejected
        notes = list(rejected.reasons)
        if rejected.count:
            self.metrics.rejected.inc(rejected.count)
            response.partial_success.rejected_spans = rejected.count
        if batch.strange:
            self.metrics.anomalies.inc(batch.strange)
            notes.append(_ODD_TIMES.format(batch.strange))
        if notes:
            response.partial_success.error_message = "; ".join(notes)
        return response
