"""Applications of other packages that a collector serves beside its own, such as the MCP server.

A package registers a function under the entry point group `agentguard.collector_apps`; the name
is the path without its first slash:

    [project.entry-points."agentguard.collector_apps"]
    mcp = "agentguard_mcp.http:collector_app"
    ".well-known/oauth-protected-resource/mcp" = "agentguard_mcp.http:metadata_app"

The function is called once with a `Host`, and returns an ASGI application, or None to stay away.
It is sent requests for its path and for all below it, with the whole path in `scope["path"]`.
Where it has a method `lifespan`, an async context manager is what that returns: it is entered
before the first request, and left when the collector has ended.

Nothing of a package is imported before somebody asks for its path: the MCP server would take a
third of a collector's start and of its memory, and most workers of most installations are never
asked.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import (
    AbstractAsyncContextManager,
    AsyncExitStack,
    asynccontextmanager,
    nullcontext,
)
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from typing import Final

from starlette.types import ASGIApp

from agentguard_collector.api.context import ApiContext
from agentguard_collector.api.rates import Rates
from agentguard_collector.api.turns import Turns
from agentguard_collector.errors import RateLimited, Refusal, Unavailable
from agentguard_collector.heap import leave_out_of_collections
from agentguard_storage.control import ControlPlane
from agentguard_storage.queries.reader import Reader

__all__ = ["GROUP", "Host", "Mounted", "mounted_apps"]

logger = logging.getLogger(__name__)

GROUP: Final = "agentguard.collector_apps"

_Lifespan = Callable[[], AbstractAsyncContextManager[None]]


@dataclass(frozen=True, slots=True)
class Host:
    """What an application is given: the control plane (keys too), and readers of projects.

    `reader` may wait for ClickHouse, and is not for an event loop; what it returns is bounded in
    time, rows and memory. Raises StoreUnavailable. Once `is_open` is false, requests shall end.

    Each request of a key is to be served within `turn(key_id)`, so that one key does not hold up
    the others, nor ingest: where that gives a refusal, the request gets it as its answer.
    """

    control: ControlPlane
    reader: Callable[[str], Reader]
    is_open: Callable[[], bool]
    turn: Callable[[str], AbstractAsyncContextManager[Refusal | None]]


class _Late:
    """One application, which is loaded and begins to run when it is first asked for."""

    def __init__(self, entry: EntryPoint, host: Host) -> None:
        self._entry = entry
        self._host = host
        self._ending = asyncio.Event()
        self._found: asyncio.Future[ASGIApp | None] | None = None
        self._run: asyncio.Task[None] | None = None

    async def app(self) -> ASGIApp | None:
        """The application; None where it stays away or cannot be loaded, which a warning says."""
        if self._found is None:
            self._found = asyncio.get_running_loop().create_future()
            # What a lifespan enters has to be left in the same task, and no request lasts so long.
            self._run = asyncio.create_task(self._keep_running(self._found))
        # The first to ask may leave; others wait for the same.
        return await asyncio.shield(self._found)

    async def end(self) -> None:
        """Leave the lifespan."""
        self._ending.set()
        if self._run is not None:
            await self._run

    async def _keep_running(self, found: asyncio.Future[ASGIApp | None]) -> None:
        try:
            # In a thread, since spans do not wait for somebody's imports.
            application = (await asyncio.to_thread(self._entry.load))(self._host)
            lifespan: _Lifespan = getattr(application, "lifespan", nullcontext)
            async with lifespan():
                leave_out_of_collections()
                found.set_result(application)
                await self._ending.wait()
        except Exception:
            name = self._entry.name
            logger.warning("what is registered for /%s cannot be served", name, exc_info=True)
            if not found.done():
                found.set_result(None)


class Mounted:
    """The applications that are registered, by their paths."""

    def __init__(self, host: Host) -> None:
        self._apps = {
            f"/{entry.name.strip('/')}": _Late(entry, host) for entry in entry_points(group=GROUP)
        }

    async def app_for(self, path: str) -> ASGIApp | None:
        """The application that a path belongs to, if it is one's."""
        for own, late in self._apps.items():
            if path == own or path.startswith(f"{own}/"):
                return await late.app()
        return None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Mounted]:
        """Have those that are asked for run until the end of the block."""
        try:
            yield self
        finally:
            for late in self._apps.values():
                await late.end()


def mounted_apps(context: ApiContext) -> Mounted:
    """What is registered. What cannot be loaded when it is asked for is not found."""
    turn = partial(_turn, context.rates, context.turns)
    return Mounted(Host(context.control, context.readers.reader, context.is_open, turn))


@asynccontextmanager
async def _turn(rates: Rates, turns: Turns, key_id: str) -> AsyncIterator[Refusal | None]:
    """Count a request of a key, and have it wait with the questions to the API."""
    async with AsyncExitStack() as held:
        refusal: Refusal | None = None
        try:
            rates.spend(key_id, "control").check()
            await held.enter_async_context(turns.turn(key_id))
        except (RateLimited, Unavailable) as problem:
            refusal = problem
        yield refusal
