"""Turning on the instrumentors of the libraries that are installed."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib.metadata import EntryPoint, entry_points
from typing import TYPE_CHECKING, Any, Final

from agentguard.errors import ConfigurationError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

__all__ = ["ALL", "instrument", "uninstrument"]

log = logging.getLogger("agentguard")

ALL: Final = "all"
_OURS: Final = "agentguard_integrations."


def instrument(wanted: Iterable[str], provider: TracerProvider | None) -> list[Any]:
    """Turn on the instrumentors of those names, or `all`; returns those that are on through this.

    A library that is not installed is passed over. Raises `ConfigurationError` for a name that no
    instrumentor has.
    """
    ours = {point.name.removeprefix("agentguard-"): point for point in _entry_points()}
    names = set(wanted)
    unknown = names - {ALL, *ours}
    if unknown:
        raise ConfigurationError(
            f"instrument: there is nothing to instrument called {', '.join(sorted(unknown))}. "
            f"There are: {', '.join(sorted(ours))}; or all, or none."
        )
    chosen = ours.values() if ALL in names else [ours[name] for name in sorted(names)]
    return [on for point in chosen if (on := _turn_on(point, provider)) is not None]


def uninstrument(instrumentors: Iterable[Any]) -> None:
    """Turn them off again."""
    for each in instrumentors:
        with suppress(Exception):
            each.uninstrument()


def _entry_points() -> Iterator[EntryPoint]:
    for point in entry_points(group="opentelemetry_instrumentor"):
        if point.value.startswith(_OURS):
            yield point


def _turn_on(point: EntryPoint, provider: TracerProvider | None) -> Any:
    """The instrumentor, if it was off and is on now."""
    try:
        instrumentor = point.load()()
        if instrumentor.is_instrumented_by_opentelemetry:
            return None
        instrumentor.instrument(tracer_provider=provider)
    except Exception:
        log.warning("%s could not be instrumented", point.name, exc_info=True)
        return None
    return instrumentor if instrumentor.is_instrumented_by_opentelemetry else None
