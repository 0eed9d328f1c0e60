"""`init`: one pipeline per process, whoever made the provider."""

import logging
from concurrent.futures import ThreadPoolExecutor

import pytest
from opentelemetry.sdk.trace import TracerProvider

import agentguard
from agentguard.errors import ConfigurationError

CREATES = """
import agentguard
from opentelemetry import trace
handle = agentguard.init(service_name="crew", environment="test")
with trace.get_tracer("theirs").start_as_current_span("theirs"):
    pass
with agentguard.tool_span("ours"):
    pass
assert handle.flush(), handle.stats
"""

JOINS = """
import agentguard
from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
memory = InMemorySpanExporter()
provider = TracerProvider(resource=Resource.create({"service.name": "host"}))
provider.add_span_processor(SimpleSpanProcessor(memory))
trace.set_tracer_provider(provider)
handle = agentguard.init()
assert trace.get_tracer_provider() is provider
with agentguard.tool_span("ours"):
    pass
assert [span.name for span in memory.get_finished_spans()] == ["execute_tool ours"]
"""


def test_creates_a_provider(program, sink):
    """Without a provider one is created, for everybody's spans, with service and environment."""
    done = program(CREATES, AGENTGUARD_ENDPOINT=sink.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(sink.names) == ["execute_tool ours", "theirs"]
    assert sink.resource()["service.name"] == "crew"
    assert sink.resource()["deployment.environment.name"] == "test"


def test_joins_a_provider(program, sink):
    """A provider that exists keeps its processors and its resource, and its spans reach us too."""
    done = program(JOINS, AGENTGUARD_ENDPOINT=sink.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert sink.names == ["execute_tool ours"]
    assert sink.resource()["service.name"] == "host"


def test_is_idempotent(recorded, sink, caplog):
    """A second call with the same settings returns the first handle, in silence."""
    again = agentguard.init(endpoint=sink.url)
    assert again is recorded.handle
    assert caplog.records == []


def test_changed_settings_are_told(recorded, sink, caplog):
    """A second call with other settings names them, without their values, and changes nothing."""
    again = agentguard.init(endpoint=sink.url, api_key="hush", queue_size=7)
    assert again is recorded.handle
    (record,) = caplog.records
    assert "api_key, queue_size" in record.getMessage()
    assert "hush" not in record.getMessage()


def test_many_threads_get_one_handle(sink):
    """Called from many threads at once, there is one handle and one stream of spans."""
    provider = TracerProvider(shutdown_on_exit=False)
    with ThreadPoolExecutor(16) as pool:
        calls = [
            pool.submit(agentguard.init, tracer_provider=provider, endpoint=sink.url)
            for _ in range(64)
        ]
        handles = {call.result() for call in calls}
    (handle,) = handles
    with agentguard.tool_span("once"):
        pass
    assert handle.flush()
    handle.shutdown()
    assert sink.names == ["execute_tool once"]


def test_starts_anew_after_shutdown(record, sink):
    """After a shutdown, init starts sending again, each span once."""
    first = record()
    first.handle.shutdown()
    with agentguard.tool_span("lost"):
        pass
    assert first.handle.stats.dropped == 1
    agentguard.init(tracer_provider=first.provider, endpoint=sink.url).flush()
    with agentguard.run("again"), agentguard.tool_span("kept"):
        pass
    handle = agentguard.init(endpoint=sink.url)
    assert handle.flush()
    handle.shutdown()
    assert sink.names == ["execute_tool kept", "invoke_workflow again"]


def test_disabled(record, sink):
    """When disabled no span is made or sent, and the program runs as ever."""
    recorded = record(disabled=True)

    @agentguard.tool
    def double(number: int) -> int:
        return 2 * number

    assert double(2) == 4
    assert recorded.handle.flush()
    assert (recorded.names, sink.attempts) == ([], 0)


def test_foreign_provider(program):
    """A provider that is not the SDK's is left alone, with one line that tells what to do."""
    done = program(
        "import agentguard\n"
        "from opentelemetry import trace\n"
        "trace.set_tracer_provider(trace.NoOpTracerProvider())\n"
        "handle = agentguard.init()\n"
        "with agentguard.tool_span('x'): pass\n"
        "assert handle.flush()\n"
    )
    assert done.returncode == 0
    (line,) = done.stderr.splitlines()
    assert "NoOpTracerProvider" in line
    assert "tracer_provider" in line


def test_bad_setting_raises():
    """A setting that cannot be used is the caller's to know, at once."""
    with pytest.raises(ConfigurationError):
        agentguard.init(flush_timeout=-1)


def test_without_init(caplog):
    """Decorated code runs without init, in silence."""
    caplog.set_level(logging.DEBUG)
    with agentguard.run("r"), agentguard.tool_span("t"):
        pass
    assert caplog.records == []
