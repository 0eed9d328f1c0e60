"""What has to be there before the collector starts: tables, prices, a project and a key."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from agentguard.cli.datadir import read_endpoints
from agentguard.cli.errors import server_extra
from agentguard.cli.services import clickhouse_errors, control_errors
from agentguard.prices.source import override_file, override_rules

if TYPE_CHECKING:
    from agentguard_storage.control import ControlPlane

__all__ = ["Control", "prepare_control", "prepare_telemetry"]

_KEY_NAME = "agentguard up"


@dataclass(frozen=True)
class Control:
    """A control plane's SQLAlchemy URL and a key for ingest and read; new if minted just now."""

    url: str
    api_key: str
    new_key: bool


def prepare_telemetry(url: str) -> None:
    """Bring the ClickHouse at `url` to this release's schema and the prices in force.

    Raises CliError, and ConfigurationError for a file of price overrides that is wrong.
    """
    with server_extra():
        from agentguard_storage.clickhouse import migrate
    overrides = override_rules(override_file())
    with clickhouse_errors(url):
        migrate(url, overrides=overrides)


def prepare_control(directory: Path, url: str | None) -> Control:
    """Upgrade the control plane and see to it that there are a default project and a key.

    The last start's key is used again for as long as it is good. Raises CliError.
    """
    with server_extra():
        from agentguard_storage.control import default_url, open_control_plane
    url = url or default_url(directory)
    with control_errors():
        plane = open_control_plane(directory, url)
        try:
            project = plane.projects.ensure_default()
            last = read_endpoints(directory)
            if last is not None and _good(plane, last.api_key):
                return Control(url, last.api_key, new_key=False)
            _, key = plane.keys.mint(project.id, ["ingest", "read"], _KEY_NAME)
            return Control(url, key, new_key=True)
        finally:
            plane.close()


def _good(plane: "ControlPlane", key: str) -> bool:
    with server_extra():
        from agentguard_storage.control.errors import KeyRefused
    try:
        plane.verifier.verify(key, "ingest")
    except KeyRefused:
        return False
    return True
