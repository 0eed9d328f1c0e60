"""The API of the control plane: /api/v1/budgets, /api/v1/stops and /api/v1/prices.

Handlers are plain functions, which FastAPI runs in threads: the control plane waits for a
database. Only the watching of stops is a coroutine, for there may be one for each process.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, FastAPI, Path, Query
from fastapi.exceptions import RequestValidationError
from sqlalchemy.exc import IntegrityError
from starlette.requests import Request
from starlette.responses import Response

from agentguard_collector.api_access import Admin, Ingest, Read
from agentguard_collector.control_models import (
    BudgetIn,
    BudgetOut,
    Release,
    ReservationOut,
    Reserve,
    Reset,
    Settle,
    StopIn,
    StopOut,
    StopsOut,
)
from agentguard_collector.errors import BadData, Conflict, NotFound, Refusal, Unavailable
from agentguard_collector.price_api import price_api
from agentguard_collector.replies import JSON, refusal_body, refusal_headers
from agentguard_collector.stop_board import StopBoard
from agentguard_storage.control import ControlPlane
from agentguard_storage.control.errors import (
    ControlError,
    ControlPlaneUnavailable,
    InvalidValue,
    ReservationConflict,
    UnknownBudget,
    UnknownReservation,
    UnknownStop,
)

__all__ = ["add_control_api"]

_LONGEST_WATCH_S = 30.0
_LOOK_EVERY_S = 0.5

Name = Annotated[str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
StopId = Annotated[str, Path(pattern=r"^stp_[0-9a-f]{12}$")]


def add_control_api(app: FastAPI, control: ControlPlane, is_open: Callable[[], bool]) -> None:
    """Serve the control plane's API on the application, until `is_open` says that it closes."""

    app.state.verifier = control.verifier
    app.include_router(_budgets(control), prefix="/api/v1/budgets")
    app.include_router(_stops(control, is_open), prefix="/api/v1/stops")
    app.include_router(price_api(control), prefix="/api/v1/prices")
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(ControlError, _failed)
    app.add_exception_handler(IntegrityError, _raced)
    app.add_exception_handler(RequestValidationError, _invalid)


def _budgets(control: ControlPlane) -> APIRouter:
    router = APIRouter()
    budgets, reservations = control.budgets, control.reservations

    @router.get("")
    def list_budgets(who: Read) -> list[BudgetOut]:
        return [BudgetOut.of(each) for each in budgets.list(who.project_id)]

    @router.get("/{name}")
    def get_budget(name: Name, who: Read) -> BudgetOut:
        budget = budgets.get(who.project_id, name)
        return BudgetOut.of(budget, budgets.standings(budget))

    @router.get("/{name}/terms")
    def terms(name: Name, who: Ingest) -> BudgetOut:
        """What a process that spends it has to know: its limits and scope, and not who spent."""
        return BudgetOut.of(budgets.get(who.project_id, name))

    @router.put("/{name}")
    def put_budget(name: Name, given: BudgetIn, who: Admin) -> BudgetOut:
        return BudgetOut.of(
            budgets.put(
                who.project_id,
                name,
                given.limits.limits(),
                scope=given.scope,
                period=given.period,
                timezone=given.timezone,
            )
        )

    @router.delete("/{name}", status_code=204)
    def delete_budget(name: Name, who: Admin) -> None:
        budgets.delete(who.project_id, name)

    @router.post("/{name}/reset")
    def reset_budget(name: Name, who: Admin, given: Reset | None = None) -> BudgetOut:
        budgets.reset(who.project_id, name, given.scope_value if given else None)
        budget = budgets.get(who.project_id, name)
        return BudgetOut.of(budget, budgets.standings(budget))

    @router.post("/{name}/reserve")
    def reserve(name: Name, given: Reserve, who: Ingest) -> ReservationOut:
        answer = reservations.reserve(
            who.project_id,
            name,
            given.id,
            given.amount.spend(),
            minimum=given.minimum.spend() if given.minimum else None,
            scope_value=given.scope_value,
            ttl_s=given.ttl_s,
            replaces=given.replaces,
            replaced_spent=given.replaced_spent.spend(),
        )
        return ReservationOut.of(given.id, answer)

    @router.post("/{name}/settle")
    def settle(name: Name, given: Settle, who: Ingest) -> ReservationOut:
        answer = reservations.settle(
            who.project_id,
            name,
            given.id,
            given.spent.spend(),
            final=given.final,
            keep=given.keep.spend() if given.keep else None,
            ttl_s=given.ttl_s,
        )
        return ReservationOut.of(given.id, answer)

    @router.post("/{name}/release")
    def release(name: Name, given: Release, who: Ingest) -> ReservationOut:
        return ReservationOut.of(given.id, reservations.release(who.project_id, name, given.id))

    return router


def _stops(control: ControlPlane, is_open: Callable[[], bool]) -> APIRouter:
    router = APIRouter()
    stops, board = control.stops, StopBoard(control.stops)

    @router.get("")
    def list_stops(who: Read) -> list[StopOut]:
        return [StopOut.of(each) for each in stops.in_force(who.project_id)]

    @router.post("", status_code=201)
    def add_stop(given: StopIn, who: Admin) -> StopOut:
        targets = given.model_dump(exclude={"reason"}, exclude_none=True)
        if len(targets) != 1:
            raise BadData("give exactly one of run, service and project: what is to be stopped")
        ((what, target),) = targets.items()
        order = stops.add(
            who.project_id,
            what,  # type: ignore[arg-type]
            "" if target is True else target,
            given.reason,
        )
        return StopOut.of(order)

    @router.get("/watch")
    async def watch(
        who: Ingest,
        after: Annotated[str, Query(max_length=64)] = "",
        service: Annotated[str, Query(max_length=256)] = "",
        wait: Annotated[float, Query(ge=0, le=_LONGEST_WATCH_S)] = _LONGEST_WATCH_S,
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

    @router.delete("/{stop_id}")
    def lift_stop(stop_id: StopId, who: Admin) -> StopOut:
        return StopOut.of(stops.lift(who.project_id, stop_id))

    return router


_MISSING = (UnknownBudget, UnknownReservation, UnknownStop)


def _as_refusal(error: Exception) -> Refusal:
    if isinstance(error, _MISSING):
        return NotFound(str(error))
    if isinstance(error, ReservationConflict):
        return Conflict(str(error))
    if isinstance(error, InvalidValue):
        return BadData(str(error))
    message = "the control plane does not answer at the moment"
    if not isinstance(error, ControlPlaneUnavailable):
        message = "the control plane cannot be used"
    return Unavailable(message, reason="control_plane", retry_after=2)


async def _refused(_: Request, refusal: Exception) -> Response:
    assert isinstance(refusal, Refusal)  # noqa: S101 - what it is registered for
    return Response(
        refusal_body(refusal, JSON),
        status_code=refusal.http_status,
        headers=refusal_headers(refusal),
        media_type=JSON,
    )


async def _failed(request: Request, error: Exception) -> Response:
    return await _refused(request, _as_refusal(error))


async def _raced(request: Request, _: Exception) -> Response:
    """Two requests made the same thing at the same time: asked again, one finds the other's."""
    message = "the same was changed by another request at this moment"
    return await _refused(request, Unavailable(message, reason="control_plane", retry_after=1))


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101 - what it is registered for
    # What was sent is not repeated: it may be long, or nobody's business.
    faults = [
        f"{'.'.join(str(part) for part in fault['loc'])}: {fault['msg']}"
        for fault in error.errors()[:5]
    ]
    return await _refused(request, BadData("; ".join(faults)))
