"""Putting guards where spans and model calls are: on tracer providers, and at the model clients."""

from __future__ import annotations

import threading
from collections.abc import Callable
from functools import wraps
from typing import Any
from weakref import WeakSet

from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider

from agentguard.guards.processor import GuardProcessor

__all__ = ["watch_new_providers", "watch_process", "watch_provider"]

_lock = threading.Lock()
_watched: WeakSet[TracerProvider] = WeakSet()


def watch_provider(provider: TracerProvider) -> None:
    """Have the provider's spans inherit from their run and be guarded. Once is enough."""
    with _lock:
        if provider not in _watched:
            provider.add_span_processor(GuardProcessor())
            _watched.add(provider)


def watch_process() -> None:
    """Guard the model clients, and the spans of the process's provider if it has one by now."""
    from agentguard.boundary import install

    install()
    provider = trace.get_tracer_provider()
    if provider not in _watched and hasattr(provider, "add_span_processor"):
        watch_provider(provider)  # type: ignore[arg-type]


def watch_new_providers(tell: Callable[[TracerProvider], object] | None = None) -> None:
    """Guard the spans of every provider that is made from now on, by anybody; `tell` of it."""
    make: Callable[..., None] = TracerProvider.__init__
    if hasattr(make, "__wrapped__"):
        return

    @wraps(make)
    def make_and_watch(provider: TracerProvider, *args: Any, **options: Any) -> None:
        make(provider, *args, **options)
        watch_provider(provider)
        if tell is not None:
            tell(provider)

    TracerProvider.__init__ = make_and_watch  # type: ignore[method-assign,assignment]
