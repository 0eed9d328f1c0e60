"""Real OTLP clients, Python and JS, each sending every kind of attribute, event and link."""

import json
import subprocess
import sys
import uuid
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.interop.canonical import canonical_spans, decode_json, differences

HERE = Path(__file__).parent
COUNT = 1_050
_SEND_TIMEOUT_S = 90
SINKS = ["pipeline", pytest.param("recorder", marks=pytest.mark.soak)]
"""The recorder shows what a client sent: worth knowing where the pipeline changed something."""


@pytest.fixture(params=SINKS)
def sink(request):
    """Where to send: anything with otlp_http, otlp_grpc, api_key and read_back(service)."""
    return request.getfixturevalue(request.param)


@pytest.fixture
def service():
    """A service name of this test alone."""
    return f"interop-{uuid.uuid4().hex[:12]}"


def endpoint_of(sink, protocol):
    """The endpoint in the form each exporter takes it."""
    return sink.otlp_grpc if protocol == "grpc" else f"{sink.otlp_http}/v1/traces"


def send_python(python, sink, protocol, service, dump):
    """Sends with an exporter of that Python; returns the canonical spans it says it sent."""
    where = ["--endpoint", endpoint_of(sink, protocol), "--api-key", sink.api_key]
    what = ["--service", service, "--dump", dump, "--count", COUNT]
    run([python, HERE / "send_python.py", "--protocol", protocol, *where, *what])
    return canonical_spans(ExportTraceServiceRequest.FromString(dump.read_bytes()).resource_spans)


def send_js(command, sink, protocol, service, dump):
    """Sends with an exporter of OpenTelemetry JS; returns the canonical spans it says it sent."""
    where = [protocol, endpoint_of(sink, protocol), sink.api_key]
    run([*command, *where, service, dump, COUNT])
    return canonical_spans(decode_json(json.loads(dump.read_bytes())))


def run(command):
    """Runs a sender; a sender that complains has failed."""
    done = subprocess.run(
        [str(part) for part in command],
        capture_output=True,
        text=True,
        timeout=_SEND_TIMEOUT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Failed to export" not in done.stderr, done.stderr


def assert_all_arrived(sink, service, sent):
    """Everything sent is there, once, with every field as it was."""
    assert len(sent) == COUNT
    assert differences(sent, canonical_spans(sink.read_back(service))) == []


@pytest.mark.parametrize("protocol", ["http/protobuf", "http/json", "grpc"])
def test_current_python_exporters_lose_nothing(sink, service, protocol, tmp_path):
    """Spans of the current OTel Python exporter are read back equal, field by field."""
    sent = send_python(sys.executable, sink, protocol, service, tmp_path / "sent")
    assert_all_arrived(sink, service, sent)


@pytest.mark.timeout(400)
def test_the_python_exporter_1_36_loses_nothing(sink, service, old_python, tmp_path):
    """Spans of the OTel Python HTTP exporter 1.36 are read back equal, field by field."""
    sent = send_python(old_python, sink, "http/protobuf", service, tmp_path / "sent")
    assert_all_arrived(sink, service, sent)


@pytest.mark.timeout(400)
@pytest.mark.parametrize("protocol", ["http/json", "http/protobuf", "grpc"])
def test_js_exporters_lose_nothing(sink, service, protocol, js_sender, tmp_path):
    """Spans of the OTel JS exporters from npm are read back equal, field by field."""
    sent = send_js(js_sender, sink, protocol, service, tmp_path / "sent")
    assert_all_arrived(sink, service, sent)
