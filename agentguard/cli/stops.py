"""`agentguard stop` and `agentguard resume`: runs that are stopped from outside."""

from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.table import Table

from agentguard.cli.errors import CONFLICT, CliError
from agentguard.cli.options import AsJson, DataDir
from agentguard.cli.services import control_plane, resolve_project
from agentguard.cli.terminal import clean, emit_json, out, plain

if TYPE_CHECKING:
    from agentguard_storage.control import StopOrder

__all__ = ["resume", "stop", "stops"]

What = Literal["run", "service", "project"]

Run = Annotated[str | None, typer.Argument(help="The run's id, or its trace's.")]
Service = Annotated[str | None, typer.Option(help="All runs of this service.")]
Project = Annotated[
    str | None,
    typer.Option(
        help="The project of the run or service, by its name or its id; "
        "alone, all runs of the project."
    ),
]


@dataclass(frozen=True)
class _Stop:
    """What is shown of a stop."""

    id: str
    what: str
    target: str
    project: str
    reason: str
    created_at: datetime


def _shown(order: "StopOrder", project: str) -> _Stop:
    return _Stop(order.id, order.what, order.target, project, order.reason, order.created_at)


def stop(
    run: Run = None,
    service: Service = None,
    project: Project = None,
    reason: Annotated[str, typer.Option(help="Why: the run tells it.")] = "stopped by hand",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Stop a run, a service's runs or a project's, wherever they are; in force within 3 s.

    Every later model call of such a run is refused, and answers that are being streamed are cut.
    Runs of a service or project that begin later are stopped too, until `agentguard resume`.
    """
    what, target = _meant(run, service, project)
    with control_plane(data_dir) as plane:
        owner = resolve_project(plane, project or "default")
        order = plane.stops.add(owner.id, what, target, reason)
    if as_json:
        emit_json(_shown(order, owner.name))
        return
    out.print(f"stopped {_words(what, target, owner.name)}: {clean(order.reason)}", markup=False)


def resume(
    run: Run = None,
    service: Service = None,
    project: Project = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Let runs begin again; those that were stopped stay so."""
    what, target = _meant(run, service, project)
    with control_plane(data_dir) as plane:
        owner = resolve_project(plane, project or "default")
        lifted = plane.stops.lift_all(owner.id, what, target)
    words = _words(what, target, owner.name)
    if not lifted:
        raise CliError(f"{words} is not stopped", hint="list what is: agentguard stops")
    if as_json:
        emit_json({"what": what, "target": target, "project": owner.name, "lifted": lifted})
        return
    out.print(f"resumed {words}", markup=False)


def stops(
    project: Annotated[str, typer.Option(help="A project, by its name or its id.")] = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List the stops that are in force."""
    with control_plane(data_dir) as plane:
        owner = resolve_project(plane, project)
        found = [_shown(order, owner.name) for order in plane.stops.in_force(owner.id)]
    if as_json:
        emit_json(found)
        return
    if not found:
        out.print("[dim]nothing is stopped[/dim]")
        return
    table = Table("stopped", "reason", "since")
    for each in found:
        table.add_row(
            plain(_words(each.what, each.target, each.project)),
            plain(each.reason),
            each.created_at.isoformat(timespec="seconds"),
        )
    out.print(table)


def _meant(run: str | None, service: str | None, project: str | None) -> tuple[What, str]:
    if run is not None and service is not None:
        raise CliError("give a run or --service, not both", exit_code=CONFLICT)
    if run is not None:
        return "run", run
    if service is not None:
        return "service", service
    if project is not None:
        return "project", ""
    raise CliError("say what: a run, --service or --project", exit_code=CONFLICT)


def _words(what: str, target: str, project: str) -> str:
    return f"project {clean(project)}" if what == "project" else f"{what} {clean(target)}"
