"""`agentguard projects`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from agentguard.cli.options import AsJson, DataDir
from agentguard.cli.services import control_plane
from agentguard.cli.terminal import clean, emit_json, out, plain

if TYPE_CHECKING:
    from agentguard_storage.control import Project

__all__ = ["projects"]

projects = typer.Typer(help="List and create projects; lists them if nothing else is said.")


@projects.callback(invoke_without_command=True)
def default(context: typer.Context, data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List and create projects; lists them if nothing else is said."""
    if context.invoked_subcommand is None:
        list_projects(data_dir, as_json)


@projects.command("list")
def list_projects(data_dir: DataDir = None, as_json: AsJson = False) -> None:
    """List all projects, oldest first."""
    with control_plane(data_dir) as plane:
        found = plane.projects.list()
    if as_json:
        emit_json([_shown(project) for project in found])
        return
    table = Table("id", "name", "retention", "region", "created")
    for project in found:
        days = f"{project.retention_days} days"
        created = project.created_at.astimezone().strftime("%Y-%m-%d")
        table.add_row(project.id, plain(project.name), days, plain(project.region), created)
    out.print(table)


@projects.command()
def create(
    name: Annotated[str, typer.Argument(help="A name that no other project has.")],
    retention_days: Annotated[int, typer.Option(help="How long its spans are kept.")] = 30,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Create a project."""
    with control_plane(data_dir) as plane:
        project = plane.projects.create(name, retention_days=retention_days)
    if as_json:
        emit_json(_shown(project))
        return
    out.print(f"created {project.id} ({clean(project.name)})", markup=False)


def _shown(project: "Project") -> dict[str, Any]:
    return {
        "id": project.id,
        "name": project.name,
        "retention_days": project.retention_days,
        "region": project.region,
        "created_at": project.created_at,
    }
