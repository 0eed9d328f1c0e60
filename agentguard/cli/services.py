"""Finding and opening what the commands talk to: the control plane and ClickHouse."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from agentguard.cli.datadir import data_dir, read_endpoints
from agentguard.cli.errors import CONFLICT, CliError, server_extra

if TYPE_CHECKING:
    from agentguard_storage.control import ControlPlane, Project

__all__ = [
    "CLICKHOUSE_VAR",
    "CONTROL_VAR",
    "clickhouse_errors",
    "clickhouse_url",
    "control_errors",
    "control_plane",
    "has_control_plane",
    "project_id",
    "resolve_project",
    "telemetry",
    "without_secret",
]

CLICKHOUSE_VAR = "AGENTGUARD_CLICKHOUSE_URL"
CONTROL_VAR = "AGENTGUARD_CONTROL_URL"
START_IT = "start it with `agentguard up`"


@contextmanager
def control_plane(option: Path | None) -> "Iterator[ControlPlane]":
    """The control plane at AGENTGUARD_CONTROL_URL, or the data directory's own.

    Raises CliError where there is none yet and for everything that the control plane refuses.
    """
    directory, url = data_dir(option), os.environ.get(CONTROL_VAR)
    if url is None and not (directory / "control.db").exists():
        found = read_endpoints(directory)
        url = found.control if found else None
        if not url:
            raise CliError(f"there is no AgentGuard in {directory} yet", hint=START_IT)
    with server_extra():
        from agentguard_storage.control import open_control_plane
    with control_errors():
        plane = open_control_plane(directory, url)
        try:
            yield plane
        finally:
            plane.close()


def has_control_plane(option: Path | None) -> bool:
    """Whether there is anything that `control_plane` could open."""
    directory = data_dir(option)
    if os.environ.get(CONTROL_VAR) or (directory / "control.db").exists():
        return True
    found = read_endpoints(directory)
    return bool(found and found.control)


@contextmanager
def control_errors() -> Iterator[None]:
    """Say the control plane's refusals as CliError: conflicts exit with 2, the rest with 1."""
    with server_extra():
        from agentguard_storage.control.errors import ControlError, DuplicateProject, InvalidValue
    try:
        yield
    except (DuplicateProject, InvalidValue) as error:
        raise CliError(str(error), exit_code=CONFLICT) from error
    except ControlError as error:
        raise CliError(str(error)) from error


def resolve_project(plane: "ControlPlane", name_or_id: str) -> "Project":
    """The project with this id or name; raises CliError when there is none."""
    with server_extra():
        from agentguard_storage.control.errors import UnknownProject
    try:
        return plane.projects.get(name_or_id)
    except UnknownProject:
        raise CliError(
            f"there is no project {name_or_id!r}", hint="list them with `agentguard projects`"
        ) from None


def project_id(option: Path | None, name_or_id: str) -> str:
    """The id of a project; an id is taken as it is, without a control plane to ask."""
    if name_or_id.startswith("prj_"):
        return name_or_id
    with control_plane(option) as plane:
        return resolve_project(plane, name_or_id).id


def clickhouse_url(option: Path | None) -> str:
    """AGENTGUARD_CLICKHOUSE_URL, or the reader's DSN of the data directory's last `up`.

    Raises CliError where neither is there.
    """
    if url := os.environ.get(CLICKHOUSE_VAR):
        return url
    directory = data_dir(option)
    if found := read_endpoints(directory):
        return found.clickhouse
    raise CliError(
        f"no AgentGuard has run in {directory}", hint=f"{START_IT}, or set {CLICKHOUSE_VAR}"
    )


@contextmanager
def telemetry(option: Path | None) -> Iterator[Any]:
    """A ClickHouse client for reading; raises CliError when the server does not answer."""
    url = clickhouse_url(option)
    with server_extra():
        from agentguard_storage.clickhouse.client import connect
    with clickhouse_errors(url):
        client = connect(url)
        try:
            yield client
        finally:
            client.close()


@contextmanager
def clickhouse_errors(url: str) -> Iterator[None]:
    """Say as CliError that the server at `url` is away or refuses."""
    with server_extra():
        from clickhouse_connect.driver.exceptions import ClickHouseError, OperationalError
        from urllib3.exceptions import HTTPError

        from agentguard_storage.queries.errors import QueryError
    where = without_secret(url)
    try:
        yield
    except QueryError as error:
        raise CliError(str(error)) from error
    except (OperationalError, HTTPError) as error:
        raise CliError(f"ClickHouse does not answer at {where}", hint=START_IT) from error
    except ClickHouseError as error:
        raise CliError(f"ClickHouse at {where}: {str(error).splitlines()[0]}") from error


def without_secret(url: str) -> str:
    """`url` with its password shown as stars."""
    head, at, tail = url.rpartition("@")
    if not at:
        return url
    scheme, slashes, user = head.partition("://")
    return f"{scheme}{slashes}{user.partition(':')[0]}:***@{tail}"
