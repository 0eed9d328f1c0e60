"""Applications of other packages that a collector serves beside its own, such as the MCP server.

A package registers a function under the entry point group `agentguard.collector_apps`; the name
is the path without its first slash:

    [project.entry-points."agentguard.collector_apps"]
    mcp = "agentguard_mcp.http:collector_app"
    ".well-known/oauth-protected-resource/mcp" = "agentguard_mcp.http:metadata_app"

The function is called once with a `Host`, and returns an ASGI application, or None to stay away.
It is sent requests for its path and for all below it, with the whole path in `scope["path"]`.
Where it has a method `lifespan`, an async context manager is what that returns: it is entered
before the collector serves, and left when it has ended.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import Final

from starlette.types import ASGIApp

from agentguard_collector.api.context import ApiContext
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
    """

    control: ControlPlane
    reader: Callable[[str], Reader]
    is_open: Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Mounted:
    """The applications that were found, by their paths."""

    apps: dict[str, ASGIApp]

    def app_for(self, path: str) -> ASGIApp | None:
        """The application that a path belongs to, if it is one's."""
        for own, app in self.apps.items():
            if path == own or path.startswith(f"{own}/"):
                return app
        return None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Mounted]:
        """Run what has to run beside them, for as long as the block."""
        async with AsyncExitStack() as stack:
            for app in self.apps.values():
                lifespan: _Lifespan | None = getattr(app, "lifespan", None)
                if lifespan is not None:
                    await stack.enter_async_context(lifespan())
            yield self


def mounted_apps(context: ApiContext) -> Mounted:
    """Load what is registered. What cannot be loaded is left out, with a warning."""
    host = Host(context.control, context.readers.reader, context.is_open)
    return Mounted(dict(_loaded(host)))


def _loaded(host: Host) -> Iterator[tuple[str, ASGIApp]]:
    for entry in entry_points(group=GROUP):
        try:
            app = entry.load()(host)
        except Exception:
            logger.warning("what is registered for /%s cannot be served", entry.name, exc_info=True)
            continue
        if app is not None:
            yield f"/{entry.name.strip('/')}", app
