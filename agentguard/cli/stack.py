"""Everything that `agentguard up` runs, brought up in order."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context

from agentguard.cli.child import STOP_WITHIN
from agentguard.cli.datadir import Endpoints, hold, read_endpoints
from agentguard.cli.parts import Options, collector, engine, engine_dsns, reachable
from agentguard.cli.ports import require_free
from agentguard.cli.prepare import Control, prepare_control, prepare_telemetry
from agentguard.cli.supervisor import Supervisor

__all__ = ["Stack", "running"]


@dataclass
class Stack:
    """The running parts. `new_key` says that the API key was minted by this start."""

    endpoints: Endpoints
    new_key: bool
    supervisor: Supervisor

    async def watch(self) -> None:
        """Keep all parts alive until cancelled; raises CliError when one cannot be."""
        await self.supervisor.watch(self.note_pids)

    def note_pids(self) -> None:
        """Write `endpoints.json` with the process ids as they are now."""
        self.endpoints = replace(self.endpoints, pids=self.supervisor.pids)
        self.endpoints.write()


@asynccontextmanager
async def running(
    options: Options, supervisor: Supervisor, say: Callable[[str], None]
) -> AsyncIterator[Stack]:
    """Start everything, telling `say` what is being done, and end it with the block.

    The collector ends first, so that what it holds still finds an engine to go to.
    Raises CliError: directory in use, port taken, a part that does not start.
    """
    with hold(options.data_dir):
        await _orphans_gone(options, say)
        require_free(options.host, options.otlp_http_port, "--otlp-http-port")
        require_free(options.host, options.otlp_grpc_port, "--otlp-grpc-port")
        async with supervisor:
            stack = await _start(options, supervisor, say)
            stack.note_pids()
            try:
                yield stack
            finally:
                say("ending: the collector first, then the engine")


async def _orphans_gone(options: Options, say: Callable[[str], None]) -> None:
    """Wait for the children of an `up` that was killed: they end by themselves, in order."""
    last = read_endpoints(options.data_dir)
    orphans = [pid for pid in last.pids.values() if _alive(pid)] if last else []
    if orphans:
        say(f"waiting for what is left of the last start (pids {orphans})")
    deadline = time.monotonic() + STOP_WITHIN
    while any(map(_alive, orphans)) and time.monotonic() < deadline:  # noqa: ASYNC110 - not ours
        await asyncio.sleep(0.1)


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except (ProcessLookupError, PermissionError):
        return False
    return True


async def _prepared(options: Options, writer: str) -> Control:
    # In a process of its own, since what it imports and computes (migrations, the price list)
    # would stay in this long-lived one's memory: 120 MB.
    loop = asyncio.get_running_loop()
    with ProcessPoolExecutor(1, get_context("spawn"), initializer=_leave_ctrl_c_to_us) as aside:
        await loop.run_in_executor(aside, prepare_telemetry, writer)
        return await loop.run_in_executor(aside, prepare_control, options.data_dir, options.control)


def _leave_ctrl_c_to_us() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


async def _start(options: Options, supervisor: Supervisor, say: Callable[[str], None]) -> Stack:
    writer = reader = options.clickhouse
    if writer is None or reader is None:
        require_free("127.0.0.1", options.clickhouse_port, "--clickhouse-port")
        say("starting the ClickHouse engine")
        writer, reader = engine_dsns(await supervisor.start(engine(options)))
    say("preparing tables, prices and keys")
    control = await _prepared(options, writer)
    say("starting the collector")
    ready = await supervisor.start(
        collector(options, clickhouse=writer, reader=reader, control=control.url)
    )
    endpoints = Endpoints(
        otlp_http=reachable(options.host, ready["http_port"]),
        otlp_grpc=reachable(options.host, ready["grpc_port"]),
        api=reachable(options.host, ready["http_port"]),
        clickhouse=reader,
        api_key=control.api_key,
        data_dir=str(options.data_dir),
        control=control.url,
    )
    return Stack(endpoints, control.new_key, supervisor)
