"""Which optional parts are installed."""

import re
from importlib.metadata import PackageNotFoundError, requires, version

__all__ = ["extras", "missing"]

_REQUIREMENT = re.compile(r"([A-Za-z0-9._-]+).*;.*\bextra == ['\"]([a-z0-9-]+)['\"]")


def extras() -> dict[str, list[str]]:
    """Each extra of this distribution with the packages that it consists of."""
    found: dict[str, list[str]] = {}
    for requirement in requires("agentguard") or ():
        if match := _REQUIREMENT.match(requirement):
            found.setdefault(match[2], []).append(match[1])
    return found


def missing(extra: str) -> list[str]:
    """The packages of `extra` that are not installed."""
    return [name for name in extras().get(extra, ()) if not _installed(name)]


def _installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True
