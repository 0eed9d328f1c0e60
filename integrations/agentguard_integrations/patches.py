"""Wrappers around a library's functions, put there when it is imported and taken away again."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, Final

from wrapt import FunctionWrapper, register_post_import_hook

__all__ = ["Patches", "Wrapper"]

log = logging.getLogger("agentguard")

Wrapper = Callable[[Callable[..., Any], Any, tuple[Any, ...], dict[str, Any]], Any]
"""`(wrapped, instance, args, kwargs)`, as wrapt calls it; `wrapped` is bound."""

_MISSING: Final = object()


class Patches:
    """What was replaced in a library. Nothing is imported for it: it waits until somebody does."""

    def __init__(self) -> None:
        self._is_wanted = True
        self._replaced: list[tuple[Any, str, object, object]] = []

    def on_import(self, module: str, patch: Callable[[Any], object]) -> None:
        """Have `patch` called with the module once it is imported, now if it is already.

        A version of the library that lacks what is to be wrapped costs its spans, and nothing else.
        """
        register_post_import_hook(partial(self._imported, patch), module)

    def wrap(self, owner: Any, name: str, wrapper: Wrapper) -> None:
        """Wrap the function or method of that name. Raises `AttributeError` where there is none."""
        kept = vars(owner).get(name, _MISSING)
        wrapped = getattr(owner, name) if kept is _MISSING else kept
        self.replace(owner, name, FunctionWrapper(wrapped, wrapper, enabled=self._enabled))

    def replace(self, owner: Any, name: str, value: object) -> None:
        """Put the value there, until `undo`."""
        self._replaced.append((owner, name, vars(owner).get(name, _MISSING), value))
        setattr(owner, name, value)

    def undo(self) -> None:
        """Put everything back; what somebody wrapped since stays, and passes calls on unchanged."""
        self._is_wanted = False
        for owner, name, before, ours in reversed(self._replaced):
            if vars(owner).get(name, _MISSING) is not ours:
                continue
            if before is _MISSING:
                delattr(owner, name)
            else:
                setattr(owner, name, before)
        self._replaced.clear()

    def _enabled(self) -> bool:
        return self._is_wanted

    def _imported(self, patch: Callable[[Any], object], module: ModuleType) -> None:
        if not self._is_wanted:
            return
        try:
            patch(module)
        except (AttributeError, ImportError) as problem:
            log.warning(
                "%s is not traced in full: this version of it is not known (%s). The versions that "
                "are known to work are listed in docs/integrations.md.",
                module.__name__,
                problem,
            )
