"""Which methods are wrapped: those of every class below a base class, now and later.

A model of LlamaIndex is a class with a `chat` of its own, and whoever writes one does not call the
one of the base class. `DispatcherSpanMixin`, which they all have, sees each class as it is made.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import Any
from weakref import WeakSet

from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.patches import Patches, Wrapper

__all__ = ["Classes", "Methods"]

Methods = Mapping[str, Wrapper]
"""A wrapper for each method, by name."""

_DELEGATES = frozenset({"BaseToolAsyncAdapter", "StructuredLLM"})
"""Classes that hand on to another object of their kind, which is the one that works."""


class Classes:
    """The base classes whose methods are wrapped, and the classes that were."""

    def __init__(self, patches: Patches) -> None:
        self._patches = patches
        self._methods: dict[tuple[str, str], Methods] = {}
        self._seen: WeakSet[type] = WeakSet()

    def cover(self, module: str, base: str, methods: Methods) -> None:
        """Wrap the methods in every class below the base class, itself included.

        Where a class is below two of them, the one that is nearer to it counts.
        """
        self._methods[module, base] = methods
        self._patches.on_import(module, partial(self._wrap_all, base))

    def watch(self, module: Any) -> None:
        """See the classes that will be made; takes `llama_index_instrumentation`."""
        self._patches.wrap(module.DispatcherSpanMixin, "__init_subclass__", self._made)

    def _made(
        self, wrapped: Callable[..., Any], made: type, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> None:
        wrapped(*args, **kwargs)
        self._wrap(made)

    def _wrap_all(self, base: str, module: Any) -> None:
        for each in _with_subclasses(getattr(module, base)):
            self._wrap(each)

    def _wrap(self, found: type) -> None:
        if found in self._seen:
            return
        self._seen.add(found)
        if found.__name__ in _DELEGATES:
            return
        with quietly("Wrapping a class"):
            for name, wrapper in self._methods_of(found).items():
                method = vars(found).get(name)
                if inspect.isroutine(method) and not getattr(method, "__isabstractmethod__", False):
                    self._patches.wrap(found, name, wrapper)

    def _methods_of(self, found: type) -> Methods:
        for base in found.__mro__:
            methods = self._methods.get((base.__module__, base.__qualname__))
            if methods is not None:
                return methods
        return {}


def _with_subclasses(base: type) -> Iterator[type]:
    yield base
    below: list[type] = base.__subclasses__()
    for each in below:
        yield from _with_subclasses(each)
