"""What is exported as OTLP/JSON makes an equal store of another collector's."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentguard_storage.export.otlp_json import REQUEST_BYTES
from tests.collector.otlp_strategies import requests
from tests.interop.span_factory import make_provider, make_spans
from tests.storage.export.exporting import exported, held, sent_on
from tests.storage.telemetry.message_texts import CONTENTS
from tests.storage.telemetry.telemetry_store import make_span, request_of
from tests.storage.telemetry.test_telemetry_fidelity import TIMES, VALUES


def assert_equal_stores(store, second_store, project, forms=("otlp-json", "otlp-ndjson")):
    """Sent on, in each form, the project's spans make the same rows in every table."""
    for form in forms:
        copy = f"{project}_{form}"
        document = exported(store, project, form)
        lines = [document] if form == "otlp-json" else document.splitlines()
        for line in lines:
            sent_on(line.replace(b"\n", b""), second_store, copy)
        assert held(second_store, copy) == held(store, project)


def test_spans_of_the_sdk_make_an_equal_store(store, second_store, project):
    """All that the OpenTelemetry SDK can express arrives in the second store as in the first."""
    exporter = InMemorySpanExporter()
    make_spans(make_provider("export", [SimpleSpanProcessor(exporter)]), 500)
    store.insert([encode_spans(exporter.get_finished_spans())], project=project)
    assert_equal_stores(store, second_store, project)


def test_values_of_every_type_and_place_make_an_equal_store(store, second_store, project):
    """A value keeps its type on spans, events, links, scopes and resources."""
    values = make_span(VALUES).attributes
    request = request_of(make_span())
    of_resource = request.resource_spans[0]
    of_scope = of_resource.scope_spans[0]
    of_resource.schema_url, of_scope.schema_url = "https://a.test/1", "https://b.test/2"
    [span] = of_scope.spans
    span.trace_state, span.flags = "vendor=1", 0x301
    span.dropped_events_count, span.dropped_links_count = 3, 4
    event = span.events.add(name="e", time_unix_nano=2**64 - 1)
    link = span.links.add(
        trace_id=b"t" * 16, span_id=b"s" * 8, flags=2**32 - 1, trace_state="other=2"
    )
    for carrier in (span, event, link, of_scope.scope, of_resource.resource):
        carrier.attributes.extend(values)
        carrier.dropped_attributes_count = 2**32 - 1
    entity = of_resource.resource.entity_refs.add(type="service", schema_url="x")
    entity.id_keys.append("service.name")
    store.insert([request], project=project)
    assert_equal_stores(store, second_store, project)


def test_contents_and_costs_make_an_equal_store(store, second_store, project):
    """Messages, tokens and what they cost are the same when they are read a second time."""
    call = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o",
        "gen_ai.usage.input_tokens": 1200,
        "gen_ai.usage.output_tokens": 34,
    }
    spans = [make_span({**CONTENTS, **call}), make_span(call, trace_id=b"t" * 16)]
    store.insert([request_of(*spans, service_name="export")], project=project)
    assert_equal_stores(store, second_store, project)


def test_wrong_clocks_make_an_equal_store(store, second_store, project):
    """Times that no calendar has are sent on as they came."""
    spans = [make_span(start_time_unix_nano=s, end_time_unix_nano=e) for s, e in TIMES.values()]
    store.insert([request_of(*spans)], project=project)
    assert_equal_stores(store, second_store, project)


@settings(
    max_examples=4,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    # Each example fills two stores: to shrink one would take many minutes.
    phases=[Phase.reuse, Phase.generate],
)
@given(batch=st.lists(requests(), min_size=4, max_size=8))
def test_any_requests_make_an_equal_store(store, second_store, batch):
    """Whatever valid requests carry, the second store holds it as the first one does."""
    project = f"prj_{uuid4().hex[:12]}"
    store.insert(batch, project=project)
    assert_equal_stores(store, second_store, project, ("otlp-ndjson",))


@pytest.mark.parametrize("size", [10, 400_000])
def test_lines_are_of_bounded_size(store, project, size):
    """A line is one request that a collector takes, however many or large the spans are."""
    spans = [make_span({"text": "x" * size}) for _ in range(30)]
    store.insert([request_of(*spans)], project=project)
    lines = exported(store, project, "otlp-ndjson").splitlines()
    assert all(len(line) < REQUEST_BYTES + 2 * size + 10_000 for line in lines)
    found = [json.loads(line)["resourceSpans"] for line in lines]
    ids = {
        span["spanId"]
        for request in found
        for resource in request
        for scope in resource["scopeSpans"]
        for span in scope["spans"]
    }
    assert ids == {span.span_id.hex() for span in spans}


def test_nothing_is_a_valid_request(store, project):
    """An export of no spans is a document that a collector takes, and no lines."""
    document = exported(store, project, "otlp-json")
    assert json.loads(document) == {"resourceSpans": []}
    assert exported(store, project, "otlp-ndjson") == b""
