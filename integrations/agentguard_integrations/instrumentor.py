"""What all instrumentors share: on and off, any number of times, and quiet about what is absent."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Collection
from importlib.metadata import PackageNotFoundError, version
from types import TracebackType
from typing import Any, ClassVar, Final

from opentelemetry.instrumentation.instrumentor import BaseInstrumentor

from agentguard.errors import Refused
from agentguard.guards.installation import watch_process, watch_provider
from agentguard.runtime import runtime
from agentguard_integrations.patches import Patches

__all__ = ["Instrumentor", "quietly"]

log = logging.getLogger("agentguard")

_OTHERS: Final = (
    "openinference.instrumentation",
    "opentelemetry.instrumentation",
    "opentelemetry.instrumentation.genai",
)
"""Where other projects keep their instrumentors, which are scopes' names as well."""


class Instrumentor(BaseInstrumentor):
    """An instrumentor of one library. `instrument(tracer_provider=...)` makes spans with that one.

    All instrumentors of a process, and the helpers of `agentguard`, make spans with one provider:
    the one given last, by default the process's.
    """

    requires: ClassVar[tuple[str, ...]]
    """The library and the versions that work, as in requirements.txt; the library comes first."""

    supersedes: ClassVar[tuple[str, ...]] = ()
    """What other projects call the same framework in their instrumentation scopes: of a model call
    that they trace as well, our span counts."""

    _patches: Patches | None = None

    @abstractmethod
    def patch(self, patches: Patches) -> None:
        """Put the wrappers where they belong; `patches` takes them away again."""

    def unpatch(self) -> None:
        """Take back what `patch` did beside patches."""

    def instrumentation_dependencies(self) -> Collection[str]:
        """The library, with the versions that work."""
        return self.requires

    def instrument(self, **options: Any) -> None:
        """Trace and guard the library; does nothing a second time, or where it is not installed.

        Takes `tracer_provider`, and what `BaseInstrumentor.instrument` takes. Raises
        `DependencyConflictError` where `raise_exception_on_conflict` asks for it.
        """
        asked = options.get("raise_exception_on_conflict") or options.get("skip_dep_check")
        if self.is_instrumented_by_opentelemetry or not (asked or self._is_installed()):
            return
        super().instrument(**options)

    def uninstrument(self, **options: Any) -> None:
        """Leave the library as it was; does nothing where it is not instrumented."""
        if self.is_instrumented_by_opentelemetry:
            super().uninstrument(**options)

    def _instrument(self, **options: Any) -> None:
        provider = options.get("tracer_provider")
        if provider is not None:
            runtime.use(provider)
            watch_provider(provider)
        runtime.implies_runs = True
        watch_process()
        runtime.superseded.update(self._superseded())
        self._patches = Patches()
        self.patch(self._patches)

    def _uninstrument(self, **options: Any) -> None:
        if self._patches is not None:
            self._patches.undo()
            self._patches = None
        runtime.superseded.difference_update(self._superseded())
        self.unpatch()

    def _superseded(self) -> set[str]:
        return {f"{project}.{name}" for project in _OTHERS for name in self.supersedes}

    def _is_installed(self) -> bool:
        # `importlib.metadata` knows without importing the library.
        for name in (_project(requirement) for requirement in self.requires):
            try:
                version(name)
            except PackageNotFoundError:
                log.debug("%s: %s is not installed", type(self).__name__, name)
                return False
        return True


def _project(requirement: str) -> str:
    for end, char in enumerate(requirement):
        if not (char.isalnum() or char in "-_."):
            return requirement[:end]
    return requirement


class quietly:  # noqa: N801 - reads as `contextlib.suppress` does
    """Let nothing of ours that goes wrong reach the library, but what a guard refuses.

    A class, as a generator takes several times as long, and this is around each of our steps.
    """

    __slots__ = ("_what",)

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        """Nothing is needed."""

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        if error is None or isinstance(error, Refused) or not isinstance(error, Exception):
            return False
        log.debug("%s failed", self._what, exc_info=error)
        return True
