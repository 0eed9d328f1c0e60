"""Spans that finish in this process, and a state that each test starts anew."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import Tracer

from agentguard.guards.installation import watch_provider
from agentguard.runtime import Runtime, runtime


@dataclass
class Spans:
    """A guarded provider, and the spans that finished on it."""

    provider: TracerProvider
    memory: InMemorySpanExporter

    @property
    def theirs(self) -> Tracer:
        """The tracer of somebody else's instrumentation."""
        return self.provider.get_tracer("theirs")

    def named(self, name: str) -> list[ReadableSpan]:
        """The finished spans of that name."""
        return [span for span in self.memory.get_finished_spans() if span.name == name]

    def attributes(self, name: str) -> dict[str, object]:
        """The attributes of the one span of that name."""
        (found,) = self.named(name)
        return dict(found.attributes or {})


@pytest.fixture
def spans() -> Iterator[Spans]:
    """Our spans and theirs are made by a guarded provider, and kept."""
    provider, memory = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    watch_provider(provider)
    provider.add_span_processor(SimpleSpanProcessor(memory))
    runtime.use(provider)
    yield Spans(provider, memory)
    fresh = Runtime()
    for name in Runtime.__slots__:
        setattr(runtime, name, getattr(fresh, name))
