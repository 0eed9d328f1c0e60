"""One collector process: starts its parts in order, and stops them in the opposite one."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import signal
import socket
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import uvicorn

from agentguard_collector.api import ApiContext
from agentguard_collector.api.mounted import mounted_apps
from agentguard_collector.committer import Committer
from agentguard_collector.flusher import Flusher
from agentguard_collector.grpc_api import create_server
from agentguard_collector.heap import keep_freed_memory, leave_out_of_collections
from agentguard_collector.http_api import create_app
from agentguard_collector.intake import Intake
from agentguard_collector.limits import RateLimiter
from agentguard_collector.metrics import Metrics
from agentguard_collector.orphans import Orphans
from agentguard_collector.parent import stop_with_parent
from agentguard_collector.price_sync import sync_prices
from agentguard_collector.seen import Seen
from agentguard_collector.settings import Settings
from agentguard_collector.sink import Sink
from agentguard_collector.sweeper import sweep_budgets
from agentguard_collector.wal import Usage, Writer, claim_folder
from agentguard_storage.control import open_control_plane

__all__ = ["run"]

logger = logging.getLogger(__name__)

_GRACE_SECONDS = 5


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the worker decides the order of shutdown."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@dataclass(slots=True)
class _Pipeline:
    """Everything behind the two transports."""

    intake: Intake
    committer: Committer
    flusher: Flusher
    sink: Sink
    usage: Usage
    settings: Settings
    worker: str
    api: ApiContext

    async def readiness(self) -> dict[str, object]:
        """Ready means: able to make spans durable. The store may be away."""
        # A load balancer should look elsewhere a little before batches are refused.
        room = self.usage.bytes < self.settings.wal_bytes_per_worker * 0.95
        return {
            "ready": self.intake.open and self.committer.alive and room,
            "store_reachable": await self.sink.reachable(),
            "wal_bytes": self.usage.bytes,
            "worker": self.worker,
        }


async def run(settings: Settings) -> None:
    """Serve until SIGTERM, SIGINT or, if asked for, the parent's end."""
    sys.setswitchinterval(0.001)
    keep_freed_memory()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with _pipeline(settings) as pipeline, mounted_apps(pipeline.api).running() as mounted:
        listener = _listen(settings)
        config = uvicorn.Config(
            create_app(pipeline.intake, pipeline.readiness, pipeline.api, mounted),
            http="httptools",
            lifespan="off",
            access_log=False,
            log_config=None,
            server_header=False,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        http = _Server(config)
        grpc, grpc_port = create_server(pipeline.intake, f"{settings.host}:{settings.grpc_port}")
        serving = asyncio.create_task(http.serve(sockets=[listener]))
        await grpc.start()
        while not http.started and not serving.done():  # noqa: ASYNC110 - uvicorn has no event
            await asyncio.sleep(0.005)
        leave_out_of_collections()
        ready = {"http_port": listener.getsockname()[1], "grpc_port": grpc_port}
        sys.stdout.write(json.dumps(ready) + "\n")
        sys.stdout.flush()
        if settings.exit_with_parent:
            stop_with_parent(stop)
        await stop.wait()
        logger.info("shutting down: no longer ready, finishing what is in flight")
        pipeline.intake.open = False
        http.should_exit = True
        await asyncio.gather(grpc.stop(_GRACE_SECONDS), serving)
    logger.info("stopped")


@asynccontextmanager
async def _pipeline(settings: Settings) -> AsyncIterator[_Pipeline]:
    """Open the log and start the flow to the store; on leaving, drain it within its bound."""
    with contextlib.ExitStack() as stack:
        control = open_control_plane(settings.data_dir, settings.control)
        stack.callback(control.close)
        own = claim_folder(settings.wal_dir, settings.worker)
        stack.callback(own.release)
        seen = stack.enter_context(
            Seen(
                settings.data_dir / "seen",
                max_spans=settings.dedup_spans,
                max_seconds=settings.dedup_seconds,
            )
        )
        metrics, usage = Metrics(), Usage()
        sink = Sink(
            settings.clickhouse,
            timeout=settings.insert_timeout,
            reads_files=settings.store_reads_files,
        )
        flusher = Flusher(sink, seen, usage, metrics)
        orphans = Orphans(settings.wal_dir, flusher, usage)
        stack.callback(orphans.release)
        orphans.adopt_folder(own.folder)
        orphans.look()
        committer = Committer(
            Writer(own.folder), seen, usage, settings, flusher.offer, lambda: flusher.backlog
        )
        flusher.on_idle = committer.wake
        limiter = RateLimiter(settings.max_spans_per_second, settings.max_bytes_per_second)
        intake = Intake(control.verifier, limiter, committer, metrics, settings.max_body_bytes)
        api = ApiContext.of(control, settings, lambda: intake.open)
        stack.callback(api.close)
        metrics.gauge("wal_bytes", "Bytes that wait for the store", lambda: usage.bytes)
        metrics.gauge("wal_segments", "Segments that wait", lambda: flusher.backlog)
        metrics.gauge("lag_seconds", "Age of the oldest span that waits", lambda: flusher.lag)
        tasks = [
            asyncio.create_task(flusher.run()),
            asyncio.create_task(orphans.watch()),
            asyncio.create_task(sweep_budgets(control.reservations)),
            asyncio.create_task(sync_prices(control.prices, settings.clickhouse)),
        ]
        try:
            yield _Pipeline(intake, committer, flusher, sink, usage, settings, own.folder.name, api)
        finally:
            await committer.close()
            if not await flusher.drained(settings.drain_timeout):
                logger.warning("%d segments stay in the log for next time", flusher.backlog)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await sink.close()


def _listen(settings: Settings) -> socket.socket:
    """Bind the HTTP port; with several workers the kernel shares connections out among them."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    listener = socket.socket(family)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if settings.share_ports:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    listener.bind((settings.host, settings.http_port))
    return listener
