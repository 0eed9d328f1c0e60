"""`init`: join the process's tracer provider, or create it, and send its spans to a collector."""

import atexit
import logging
import multiprocessing.util
import os
import threading
from collections.abc import Iterable, Sequence
from dataclasses import fields
from typing import Any, Unpack

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from agentguard.config import Options, Settings, load_settings
from agentguard.export import ExportProcessor, Stats
from agentguard.guards.guard import Guard
from agentguard.guards.installation import watch_process, watch_provider
from agentguard.instrumentation import instrument, uninstrument
from agentguard.prices import project as project_prices
from agentguard.redaction import Callback
from agentguard.remote_stop import StopWatcher, watch
from agentguard.runtime import runtime
from agentguard.semconv import DEPLOYMENT_ENVIRONMENT_NAME, SERVICE_NAME

__all__ = ["Handle", "init", "resource_of", "shut_down_at_exit"]

log = logging.getLogger("agentguard")


class Handle:
    """What `init` returns: the way to flush, to stop, and to see what became of the spans."""

    def __init__(
        self,
        settings: Settings,
        processor: ExportProcessor | None,
        *watchers: StopWatcher | project_prices.PriceWatcher | None,
        instrumentors: Iterable[Any] = (),
    ) -> None:
        self.settings = settings
        self._processor = processor
        self._watchers = [each for each in watchers if each is not None]
        self._instrumentors = tuple(instrumentors)

    @property
    def stats(self) -> Stats:
        """Counts of the spans exported, failed, dropped and waiting."""
        return self._processor.stats if self._processor else Stats()

    def flush(self, timeout: float | None = None) -> bool:
        """Send what waits now; at most `timeout` seconds (default: `flush_timeout`).

        True when everything was delivered. Never raises.
        """
        if self._processor is None:
            return True
        return self._processor.force_flush(None if timeout is None else round(timeout * 1000))

    def shutdown(self) -> None:
        """Send what waits, within `flush_timeout`, and stop sending. `init` may start anew."""
        global _handle
        with _lock:
            if _handle is self:
                _handle = None
        uninstrument(self._instrumentors)
        for watcher in self._watchers:
            watcher.close()
        if self._processor is not None:
            self._processor.shutdown()
            atexit.unregister(self._processor.shutdown)


_lock = threading.Lock()
_handle: Handle | None = None


def init(
    *,
    tracer_provider: TracerProvider | None = None,
    guards: Sequence[Guard] = (),
    redact_with: Callback | None = None,
    **settings: Unpack[Options],
) -> Handle:
    """Send this process's spans to a collector, and trace and guard its model calls.

    The libraries that are installed are traced as `instrument` says.

    `guards` watch over every run, beside those that runs bring themselves; where nobody opens
    runs, each trace is one, and so are together all model calls made outside of traces.

    `redact_with` is given every text of a span before it is sent, after `redact` and
    `redact_patterns` were applied, and returns what may be sent; see `docs/redaction.md`.

    Joins the process's OpenTelemetry `TracerProvider` (or the one given), adding to it and
    never replacing it; creates one when there is none. The settings, where else they may come
    from and their defaults are listed in `docs/configuration.md`.

    Calling it again returns the first call's handle; settings that differ are warned about and
    not used. Raises `ConfigurationError` for a setting that cannot be used; an unreachable
    collector never raises.
    """
    global _handle
    wanted = load_settings(settings)
    with _lock:
        if _handle is not None:
            _warn_changed(_handle.settings, wanted)
            return _handle
        while runtime.before_init:
            runtime.before_init.pop()()
        runtime.guards = tuple(guards)
        runtime.service = wanted.service_name or ""
        runtime.settings = wanted
        watch_process()
        _handle = _start(wanted, tracer_provider, redact_with)
        return _handle


def _start(
    settings: Settings, provider: TracerProvider | None, redact_with: Callback | None
) -> Handle:
    if settings.disabled:
        runtime.tracer = trace.NoOpTracer()
        return Handle(settings, None)
    found = provider or _process_provider(settings)
    if found is None:
        return Handle(settings, None)
    on = instrument(settings.instrument, found)
    watch_provider(found)
    processor = ExportProcessor(settings, redact_with)
    found.add_span_processor(processor)
    runtime.capture_content = settings.capture_content
    runtime.max_content_length = settings.max_content_length
    runtime.use(found)
    shut_down_at_exit(processor)
    watchers = (watch(settings), project_prices.watch(settings))
    return Handle(settings, processor, *watchers, instrumentors=on)


def shut_down_at_exit(processor: ExportProcessor) -> None:
    """Send what waits when the process ends, whatever the provider was told to do at exit."""
    atexit.register(processor.shutdown)
    # The workers of multiprocessing run its finalizers instead, and forget their parent's.
    multiprocessing.util.register_after_fork(processor, _shut_down_with_worker)
    if multiprocessing.parent_process() is not None:
        _shut_down_with_worker(processor)


def _shut_down_with_worker(processor: ExportProcessor) -> None:
    multiprocessing.util.Finalize(None, processor.shutdown, exitpriority=0)


def _process_provider(settings: Settings) -> TracerProvider | None:
    """The process's provider, created when there is none; None when spans cannot be joined."""
    current = trace.get_tracer_provider()
    if isinstance(current, trace.ProxyTracerProvider):
        trace.set_tracer_provider(TracerProvider(resource=resource_of(settings)))
        current = trace.get_tracer_provider()
    # Distributions wrap the SDK's provider; what matters is that processors can be added.
    if isinstance(current, TracerProvider) or hasattr(current, "add_span_processor"):
        return current  # type: ignore[return-value]
    log.warning(
        "No spans are sent: the process's tracer provider, %s, is not OpenTelemetry's SDK. "
        "Call agentguard.init() before it is set, or pass tracer_provider.",
        type(current).__qualname__,
    )
    return None


def resource_of(settings: Settings) -> Resource:
    """What the spans of this process say of where they come from."""
    named = {
        SERVICE_NAME: settings.service_name,
        DEPLOYMENT_ENVIRONMENT_NAME: settings.environment,
    }
    return Resource.create({name: value for name, value in named.items() if value is not None})


def _warn_changed(current: Settings, wanted: Settings) -> None:
    changed = [
        row.name
        for row in fields(Settings)
        if getattr(current, row.name) != getattr(wanted, row.name)
    ]
    if changed:
        log.warning(
            "agentguard.init() was called before: the new %s is not used. "
            "Call shutdown() on its handle first.",
            ", ".join(changed),
        )


def _renew_lock() -> None:
    global _lock
    _lock = threading.Lock()


os.register_at_fork(after_in_child=_renew_lock)
