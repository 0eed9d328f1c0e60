"""Orders to stop running agents: /api/v1/stops.

Watching is a coroutine, for there may be a watcher for each process; the others run in threads.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Path, Query
from starlette.convertors import Convertor, register_url_convertor

from agentguard_collector.api.access import Admin, Ingest, MayStop, Read
from agentguard_collector.api.order_models import StopIn, StopOut, StopsOut
from agentguard_collector.api.refusals import MissingScope
from agentguard_collector.api.routing import api_router
from agentguard_collector.errors import BadData
from agentguard_collector.stop_board import StopBoard
from agentguard_storage.control import ControlPlane

__all__ = ["router"]

_LONGEST_WATCH_S = 30.0
_LOOK_EVERY_S = 0.5
_NO_CONTROLS = r"^[^\x00-\x1f\x7f]*$"


class _StopIds(Convertor[str]):
    """A path with anything else is another one: /stops/watch."""

    regex = "stp_[0-9a-f]{12}"

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("stop_id", _StopIds())

StopId = Annotated[
    str, Path(pattern=r"^stp_[0-9a-f]{12}$", description="Its id.", examples=["stp_0123456789ab"])
]


def router(control: ControlPlane, is_open: Callable[[], bool]) -> APIRouter:
    """Giving orders to stop, and hearing of them; watchers are let go once `is_open` is false."""
    made = api_router("stops")
    stops, board = control.stops, StopBoard(control.stops)

    @made.get("")
    def list_stops(who: Read) -> list[StopOut]:
        """The stops that are in force."""
        return [StopOut.of(each) for each in stops.in_force(who.project_id)]

    @made.post("", status_code=201)
    def add_stop(given: StopIn, who: MayStop) -> StopOut:
        """Stop a run; with the scope `admin`, a service or the whole project."""
        targets = given.model_dump(exclude={"reason"}, exclude_none=True)
        if len(targets) != 1:
            raise BadData("give exactly one of run, service and project: what is to be stopped")
        if given.run is None and not who.allows("admin"):
            raise MissingScope("only a key with the scope 'admin' stops more than a run", "admin")
        ((what, target),) = targets.items()
        order = stops.add(
            who.project_id,
            what,  # type: ignore[arg-type]
            "" if target is True else target,
            given.reason,
        )
        return StopOut.of(order)

    @made.get("/watch")
    async def watch_stops(
        who: Ingest,
        after: Annotated[
            str, Query(max_length=64, pattern=_NO_CONTROLS, description="The last `cursor`.")
        ] = "",
        service: Annotated[
            str, Query(max_length=256, pattern=_NO_CONTROLS, description="Whose runs they are.")
        ] = "",
        wait: Annotated[
            float, Query(ge=0, le=_LONGEST_WATCH_S, description="Seconds, at most.")
        ] = _LONGEST_WATCH_S,
    ) -> StopsOut:
        """The stops that a service's runs have to obey, once they are others than `after`."""
        end = time.monotonic() + wait
        # Who asks for the first time shall not be told of a stop that was lifted just now.
        found = await board.look(who.project_id, service, now=not after)
        while True:
            if found.cursor != after or time.monotonic() >= end or not is_open():
                return found
            await asyncio.sleep(min(_LOOK_EVERY_S, max(0.0, end - time.monotonic())))
            found = await board.look(who.project_id, service)

    @made.delete("/{stop_id:stop_id}")
    def lift_stop(stop_id: StopId, who: Admin) -> StopOut:
        """Lift a stop: what begins from now on may run."""
        return StopOut.of(stops.lift(who.project_id, stop_id))

    return made
