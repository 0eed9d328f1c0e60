"""`agentguard keys`."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Column, Table

from agentguard.cli.figures import ago
from agentguard.cli.options import AsJson, DataDir, ProjectName
from agentguard.cli.services import control_plane, resolve_project
from agentguard.cli.terminal import clean, emit_json, err, out, plain
from agentguard.cli.when import duration

if TYPE_CHECKING:
    from agentguard_storage.control import ApiKey

__all__ = ["keys"]

keys = typer.Typer(no_args_is_help=True, help="Create, list and revoke API keys.")


@dataclass(frozen=True)
class _Key:
    """What is shown of a key: everything but its secret."""

    id: str
    name: str
    project: str
    scopes: list[str]
    status: str
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


def _shown(key: "ApiKey", project: str, now: datetime) -> _Key:
    expired = key.expires_at is not None and key.expires_at <= now
    return _Key(
        id=key.key_id,
        name=key.name,
        project=project,
        scopes=sorted(key.scopes),
        status="revoked" if key.revoked_at else "expired" if expired else "active",
        created_at=key.created_at,
        expires_at=key.expires_at,
        revoked_at=key.revoked_at,
        last_used_at=key.last_used_at,
    )


@keys.command()
def create(
    scope: Annotated[
        list[str],
        typer.Option(
            help="What it may do: ingest, read, admin; to write without being admin: budgets, "
            "stops, shares, annotations. May be repeated."
        ),
    ] = ["ingest"],  # noqa: B006 - typer copies it
    name: Annotated[str, typer.Option(help="A name to know it by.")] = "key",
    expires: Annotated[
        str | None,
        typer.Option(help="When it ends, from now: 12h, 30d. Never, if left out."),
    ] = None,
    project: ProjectName = "default",
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Make an API key and show it, once."""
    now = datetime.now(UTC)
    ends = now + duration(expires) if expires else None
    with control_plane(data_dir) as plane:
        owner = resolve_project(plane, project)
        key, text = plane.keys.mint(owner.id, scope, name, ends)
    if as_json:
        emit_json({**asdict(_shown(key, owner.name, now)), "api_key": text})
        return
    out.print(text, soft_wrap=True)
    err.print(
        f"[dim]Keep it now: it is not shown again. Scopes: {', '.join(sorted(key.scopes))}.[/dim]"
    )


@keys.command("list")
def list_keys(
    project: Annotated[
        str | None, typer.Option(help="Only this project's, by its name or its id.")
    ] = None,
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """List API keys, without their secrets."""
    now = datetime.now(UTC)
    with control_plane(data_dir) as plane:
        names = {one.id: one.name for one in plane.projects.list()}
        only = resolve_project(plane, project).id if project else None
        found = [_shown(key, names[key.project_id], now) for key in plane.keys.list(only)]
    if as_json:
        emit_json(found)
        return
    table = Table(Column("id", no_wrap=True, min_width=12), "name", "project", "scopes", "status")
    for name in ("created", "expires", "used"):
        table.add_column(name, no_wrap=True)
    for key in found:
        table.add_row(
            key.id,
            plain(key.name),
            plain(key.project),
            ", ".join(key.scopes),
            plain(key.status, "green" if key.status == "active" else "dim"),
            ago(key.created_at, now),
            ago(key.expires_at, now) or "never",
            ago(key.last_used_at, now) or "never",
        )
    out.print(table)


@keys.command()
def revoke(
    key: Annotated[str, typer.Argument(help="The key's id, as `keys list` shows it.")],
    data_dir: DataDir = None,
    as_json: AsJson = False,
) -> None:
    """Refuse a key from now on; running collectors notice within 5 s."""
    with control_plane(data_dir) as plane:
        gone = plane.keys.revoke(_key_id(key))
        owner = plane.projects.get(gone.project_id)
    if as_json:
        emit_json(_shown(gone, owner.name, datetime.now(UTC)))
        return
    out.print(f"revoked {gone.key_id} ({clean(gone.name)})", markup=False)


def _key_id(text: str) -> str:
    """The id in `text`, which people also paste as the whole key."""
    return text.split("_")[1] if text.startswith("agk_") else text
