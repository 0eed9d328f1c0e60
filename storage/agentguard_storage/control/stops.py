"""Stops: orders of people that runs end, until they are lifted."""

import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from sqlalchemy import ColumnElement, or_, select, update

from agentguard_storage.control.budget_models import StopOrder
from agentguard_storage.control.database import ControlDatabase
from agentguard_storage.control.errors import InvalidValue, UnknownProject, UnknownStop
from agentguard_storage.control.models import Project
from agentguard_storage.control.projects import checked_text

__all__ = ["RUN_STOPS_LAST", "Stops", "What"]

What = Literal["run", "service", "project"]

RUN_STOPS_LAST: Final = timedelta(days=1)
"""How long processes are told of a run's stop: it is a run that goes on now."""
_MOST: Final = 1000


class Stops:
    """The stops of all projects. Every method may raise ControlPlaneUnavailable."""

    def __init__(
        self, database: ControlDatabase, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._database = database
        self._now = now

    def add(
        self, project_id: str, what: What, target: str = "", reason: str = "stopped by hand"
    ) -> StopOrder:
        """Stop a run by its id or its trace's, all runs of a service, or all of the project.

        The same again changes nothing. Raises InvalidValue, UnknownProject.
        """
        if what not in ("run", "service", "project"):
            raise InvalidValue(f"{what!r} cannot be stopped: it is one of run, service, project")
        target = "" if what == "project" else checked_text(f"{what} to stop", target, 256)
        order = StopOrder(
            id="stp_" + secrets.token_hex(6),
            project_id=project_id,
            what=what,
            target=target,
            reason=checked_text("reason", reason, 500),
            created_at=self._now(),
            lifted_at=None,
        )
        with self._database.writing() as session:
            if session.get(Project, project_id) is None:
                raise UnknownProject(f"there is no project with the id {project_id!r}")
            before = session.scalar(
                select(StopOrder)
                .where(StopOrder.project_id == project_id, StopOrder.lifted_at.is_(None))
                .where(StopOrder.what == what, StopOrder.target == target)
                .where(self._fresh())
                .order_by(StopOrder.created_at)
            )
            if before is not None:
                return before
            session.add(order)
        return order

    def in_force(self, project_id: str) -> list[StopOrder]:
        """The stops that runs have to obey now, newest first; at most 1,000."""
        query = (
            select(StopOrder)
            .where(StopOrder.project_id == project_id, StopOrder.lifted_at.is_(None))
            .where(self._fresh())
            .order_by(StopOrder.created_at.desc(), StopOrder.id)
            .limit(_MOST)
        )
        with self._database.reading() as session:
            return list(session.scalars(query))

    def lift(self, project_id: str, stop_id: str) -> StopOrder:
        """Let runs begin again; those that were stopped stay so. Raises UnknownStop."""
        with self._database.writing() as session:
            order = session.get(StopOrder, stop_id)
            if order is None or order.project_id != project_id:
                raise UnknownStop(f"there is no stop {stop_id[:64]!r} in this project")
            order.lifted_at = order.lifted_at or self._now()
        return order

    def lift_all(self, project_id: str, what: What, target: str = "") -> int:
        """Lift the stops of a run, a service or the project; how many there were."""
        target = "" if what == "project" else target.strip()
        stops = update(StopOrder).where(
            StopOrder.project_id == project_id,
            StopOrder.lifted_at.is_(None),
            StopOrder.what == what,
            StopOrder.target == target,
        )
        with self._database.writing() as session:
            done = session.execute(stops.values(lifted_at=self._now()))
            return int(done.rowcount)  # type: ignore[attr-defined]

    def _fresh(self) -> ColumnElement[bool]:
        since = self._now() - RUN_STOPS_LAST
        return or_(StopOrder.what != "run", StopOrder.created_at > since)
