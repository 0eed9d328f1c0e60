"""Where spans would be sent from here, with which key, and who said so."""

import os
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from agentguard.cli.datadir import data_dir, read_endpoints
from agentguard.config import Settings, load_settings
from agentguard.reading import TRACES_PATH

__all__ = ["Target", "find_target", "sources"]


@dataclass(frozen=True)
class Target:
    """What is examined.

    `endpoint` is a base URL, `api_key` may be empty, and `from_up` says that both are those of
    the data directory's own `agentguard up`, because nothing else is configured.
    """

    option: Path | None
    data_dir: Path
    endpoint: str
    api_key: str
    from_up: bool
    settings: Settings


def find_target(option: Path | None) -> Target:
    """What the SDK would use here, or else what `up` serves; raises ConfigurationError."""
    settings = load_settings()
    directory = data_dir(option)
    running = read_endpoints(directory)
    from_up = running is not None and (option is not None or settings == Settings())
    endpoint = settings.endpoint.removesuffix(TRACES_PATH)
    key = settings.api_key or dict(settings.headers).get("authorization", "").partition(" ")[2]
    if running is not None and from_up:
        endpoint, key = running.api, running.api_key
    return Target(option, directory, endpoint, key, from_up, settings)


def sources(settings: Settings) -> list[str]:
    """Each setting that is not its default, with the variable or file that it comes from."""
    return [
        f"{row.name}={'***' if row.metadata['secret'] else getattr(settings, row.name)!r}"
        f" ({_source(row)})"
        for row in fields(Settings)
        if getattr(settings, row.name) != row.default
    ]


def _source(row: Any) -> str:
    for variable in row.metadata["variables"]:
        if variable.value(os.environ) is not None:
            return str(variable.name)
    return "pyproject.toml"
