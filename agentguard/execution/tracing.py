"""Tracing a program that does not trace itself, beside one that does."""

from __future__ import annotations

from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.trace import Span, Tracer

from agentguard.config import Settings
from agentguard.export import ExportProcessor
from agentguard.guards.installation import watch_new_providers
from agentguard.inheritance import TRACER
from agentguard.instrumentation import instrument
from agentguard.lifecycle import resource_of, shut_down_at_exit
from agentguard.runtime import runtime

__all__ = ["trace_program"]


def trace_program(settings: Settings) -> None:
    """Trace the libraries that the program uses, and guard the spans that it makes itself.

    Spans are sent where there is a key. A program that calls `agentguard.init` sends them itself
    from then on.
    """
    own = TracerProvider(resource=resource_of(settings), shutdown_on_exit=False)
    if settings.disabled or settings.api_key is None:
        watch_new_providers()
    else:
        exporter = ExportProcessor(settings)
        shut_down_at_exit(exporter)
        forward = _Forward(exporter)
        own.add_span_processor(forward)
        watch_new_providers(lambda provider: provider.add_span_processor(forward))
        runtime.before_init.append(forward.end)
    instrument(() if settings.disabled else settings.instrument, own)
    runtime.tracer = _JoiningTracer(own)
    runtime.capture_content = settings.capture_content
    runtime.max_content_length = settings.max_content_length


class _Forward(SpanProcessor):
    """Hands spans to a processor that outlives the provider they come from."""

    def __init__(self, to: SpanProcessor) -> None:
        self._to: SpanProcessor | None = to

    def on_end(self, span: ReadableSpan) -> None:
        if self._to is not None:
            self._to.on_end(span)

    def end(self) -> None:
        """Hand on nothing more."""
        self._to = None

    def force_flush(self, timeout_millis: int = 30_000) -> bool:
        return self._to is None or self._to.force_flush(timeout_millis)


class _JoiningTracer(Tracer):
    """Makes spans with the process's provider once the program has set one."""

    def __init__(self, own: TracerProvider) -> None:
        self._own = own.get_tracer(TRACER)
        self._joined: Tracer | None = None

    def start_span(self, *args: Any, **more: Any) -> Span:
        return self._tracer().start_span(*args, **more)

    def start_as_current_span(self, *args: Any, **more: Any) -> Any:
        return self._tracer().start_as_current_span(*args, **more)

    def _tracer(self) -> Tracer:
        if self._joined is None:
            provider = trace.get_tracer_provider()
            if isinstance(provider, trace.ProxyTracerProvider):
                return self._own
            self._joined = provider.get_tracer(TRACER)
        return self._joined
