"""Every public function that asks the store, found by looking: none can be forgotten."""

from __future__ import annotations

import inspect
import pkgutil
import re
from collections.abc import Callable, Iterator
from importlib import import_module
from types import ModuleType
from typing import Any, Final

import agentguard_storage.export
import agentguard_storage.filters
import agentguard_storage.queries

__all__ = ["asking_functions"]

_PACKAGES: Final = (
    agentguard_storage.queries,
    agentguard_storage.filters,
    agentguard_storage.export,
)
_ASKS: Final = re.compile(r"\b(Reader|Client)\b")


def asking_functions() -> dict[str, Callable[..., Any]]:
    """What is public in the packages and is given a Reader or a client, by `module.name`.

    Classes are there by their constructors.
    """
    return {
        f"{module.__name__.removeprefix('agentguard_storage.')}.{name}": found
        for module in _modules()
        for name, found in vars(module).items()
        if not name.startswith("_")
        and callable(found)
        and getattr(found, "__module__", "") == module.__name__
        and _asks(found)
    }


def _modules() -> Iterator[ModuleType]:
    for package in _PACKAGES:
        yield package
        for info in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
            yield import_module(info.name)


def _asks(found: Callable[..., Any]) -> bool:
    try:
        signature = inspect.signature(found)
    except (TypeError, ValueError):
        return False
    parameters = signature.parameters.values()
    return any(_ASKS.search(str(parameter.annotation)) for parameter in parameters)
