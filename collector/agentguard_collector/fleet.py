"""Several worker processes on the same two ports; one that dies is started again."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from agentguard_collector.parent import stop_with_parent

__all__ = ["run_fleet"]

logger = logging.getLogger(__name__)

_RESTART_SECONDS = 0.5


@dataclass(slots=True)
class _Fleet:
    command: Sequence[str]
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    running: dict[int, asyncio.subprocess.Process] = field(default_factory=dict)

    async def start(self, slot: int) -> None:
        """Start a worker and wait until it is ready. Raises RuntimeError if it never is."""
        if self.stop.is_set():
            return
        process = await asyncio.create_subprocess_exec(
            *self.command, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE
        )
        self.running[slot] = process
        if self.stop.is_set():  # whoever set it did not see this one
            process.terminate()
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        if not await process.stdout.readline() and not self.stop.is_set():
            raise RuntimeError(f"a worker ended with status {await process.wait()} at its start")

    async def keep(self, slot: int) -> None:
        """Start the worker again whenever it ends before it should."""
        while True:
            status = await self.running[slot].wait()
            if self.stop.is_set():
                return
            logger.error("worker %d ended with status %s, starting it again", slot, status)
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stop.wait(), _RESTART_SECONDS)
            try:
                await self.start(slot)
            except RuntimeError as error:
                logger.error("%s", error)  # noqa: TRY400 - the worker has logged its own reason


async def run_fleet(
    arguments: Sequence[str], host: str, ports: tuple[int, int], workers: int, *, watch_stdin: bool
) -> None:
    """Run `workers` processes until SIGTERM, SIGINT or the parent's end.

    `arguments` are a worker's own, without ports. Sockets bound here and never listened on keep
    the two ports ours while workers come and go.
    """
    reserved = [_reserve(host, port) for port in ports]
    http_port, grpc_port = (sock.getsockname()[1] for sock in reserved)
    fleet = _Fleet(
        [
            *(sys.executable, "-m", "agentguard_collector"),
            *arguments,
            *("--http-port", str(http_port), "--grpc-port", str(grpc_port)),
            *("--share-ports", "--exit-with-parent"),
        ]
    )
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, fleet.stop.set)
    if watch_stdin:
        stop_with_parent(fleet.stop)
    keepers: list[asyncio.Task[None]] = []
    try:
        # One after the other: the first creates what the others find.
        for slot in range(workers):
            await fleet.start(slot)
        if not fleet.stop.is_set():
            sys.stdout.write(json.dumps({"http_port": http_port, "grpc_port": grpc_port}) + "\n")
            sys.stdout.flush()
            keepers += [asyncio.create_task(fleet.keep(slot)) for slot in range(workers)]
            await fleet.stop.wait()
    finally:
        fleet.stop.set()
        for process in fleet.running.values():
            if process.returncode is None:
                process.terminate()
        # They first: a worker that is being started is not yet among the running ones.
        await asyncio.gather(*keepers)
        await asyncio.gather(*(process.wait() for process in fleet.running.values()))
    for sock in reserved:
        sock.close()


def _reserve(host: str, port: int) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    sock.bind((host, port))
    return sock
