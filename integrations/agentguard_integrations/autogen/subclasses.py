"""Wrapping methods that each subclass brings itself: those there are, and those there will be."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from agentguard_integrations.patches import Patches, Wrapper

__all__ = ["wrap_in_all"]


def wrap_in_all(patches: Patches, base: Any, wrappers: Mapping[str, Wrapper]) -> None:
    """Wrap the methods of those names in the class and in each class below it that has its own."""

    def begin(cls: Any, **options: Any) -> None:
        if before is None:
            super(base, cls).__init_subclass__(**options)
        else:
            before.__func__(cls, **options)
        _wrap_own(patches, cls, wrappers)

    before = vars(base).get("__init_subclass__")
    for cls in _with_subclasses(base):
        _wrap_own(patches, cls, wrappers)
    patches.replace(base, "__init_subclass__", classmethod(begin))  # type: ignore[arg-type]


def _wrap_own(patches: Patches, cls: type, wrappers: Mapping[str, Wrapper]) -> None:
    for name, wrapper in wrappers.items():
        method = vars(cls).get(name)
        if method is not None and not getattr(method, "__isabstractmethod__", False):
            patches.wrap(cls, name, wrapper)


def _with_subclasses(base: type) -> Iterator[type]:
    seen: set[type] = set()
    waiting = [base]
    while waiting:
        cls = waiting.pop()
        if cls not in seen:
            seen.add(cls)
            yield cls
            waiting += cls.__subclasses__()
