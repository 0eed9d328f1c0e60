"""The stops of each project, read once for all who watch them."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import OrderedDict

from agentguard_collector.api.order_models import StopOut, StopsOut
from agentguard_storage.control import StopOrder, Stops

__all__ = ["StopBoard"]

_FRESH_S = 0.4
_PROJECTS = 1000


class StopBoard:
    """Answers from at most 0.4 s ago: a worker asks the database twice a second for each project
    that is watched, however many watch it. Other workers' stops are in the same table."""

    def __init__(self, stops: Stops) -> None:
        self._stops = stops
        self._known: OrderedDict[str, tuple[float, list[StopOrder]]] = OrderedDict()
        self._locks: OrderedDict[str, asyncio.Lock] = OrderedDict()

    async def look(self, project_id: str, service: str, *, now: bool = False) -> StopsOut:
        """The stops that runs of the service have to obey; read now, if asked for.

        Raises ControlPlaneUnavailable.
        """
        orders = [
            order
            for order in await self._orders(project_id, now)
            if order.what != "service" or order.target == service
        ]
        ids = " ".join(sorted(order.id for order in orders))
        cursor = hashlib.sha256(ids.encode()).hexdigest()[:16]
        return StopsOut(stops=[StopOut.of(order) for order in orders], cursor=cursor)

    async def _orders(self, project_id: str, at_once: bool) -> list[StopOrder]:
        lock = self._locks.setdefault(project_id, asyncio.Lock())
        async with lock:
            found = self._known.get(project_id)
            now = time.monotonic()
            if at_once or found is None or now - found[0] >= _FRESH_S:
                found = (now, await asyncio.to_thread(self._stops.in_force, project_id))
                self._known[project_id] = found
        self._known.move_to_end(project_id)
        if len(self._known) > _PROJECTS:
            gone, _ = self._known.popitem(last=False)
            self._locks.pop(gone, None)
        return found[1]
