"""What the tools ask: the query functions through a project's reader, and the control plane."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Concatenate, ParamSpec, TypeVar

import anyio
import anyio.to_thread

from agentguard_storage.control import ControlPlane, Principal
from agentguard_storage.queries.burn import BurnRates
from agentguard_storage.queries.reader import Reader

__all__ = ["Backend", "Call"]

P = ParamSpec("P")
Found = TypeVar("Found")

_AT_ONCE = 8


@dataclass(frozen=True, slots=True)
class Backend:
    """The store and the control plane.

    `reader` makes the window of one project on the store; it may wait, and is called in threads.
    """

    control: ControlPlane
    reader: Callable[[str], Reader]
    # Both wait for sockets and disks; they are given threads of their own, and not many.
    limiter: anyio.CapacityLimiter = field(default_factory=lambda: anyio.CapacityLimiter(_AT_ONCE))
    rates: BurnRates = field(default_factory=BurnRates)


@dataclass(frozen=True, slots=True)
class Call:
    """One call of a tool: on whose behalf, and by which address the server was reached."""

    backend: Backend
    principal: Principal
    base_url: str

    @property
    def project_id(self) -> str:
        """The caller's project; no tool has any other."""
        return self.principal.project_id

    async def ask(
        self,
        question: Callable[Concatenate[Reader, P], Found],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> Found:
        """Put a question to the caller's project, in a thread. Raises QueryError."""
        return await self.run(
            lambda: question(self.backend.reader(self.project_id), *args, **kwargs)
        )

    async def run(self, work: Callable[[], Found]) -> Found:
        """Do something that waits, in a thread."""
        return await anyio.to_thread.run_sync(
            work, abandon_on_cancel=True, limiter=self.backend.limiter
        )
