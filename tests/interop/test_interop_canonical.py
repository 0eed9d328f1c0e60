"""The comparison that the interop tests rest on sees every field."""

import copy

import pytest
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from tests.interop.canonical import canonical_spans, differences
from tests.interop.span_factory import make_provider, make_spans

CHANGES = {
    "name": lambda s: setattr(s, "name", s.name + "x"),
    "kind": lambda s: setattr(s, "kind", (s.kind + 1) % 6),
    "start": lambda s: setattr(s, "start_time_unix_nano", s.start_time_unix_nano + 1),
    "end": lambda s: setattr(s, "end_time_unix_nano", s.end_time_unix_nano + 1),
    "flags": lambda s: setattr(s, "flags", s.flags ^ 1),
    "trace state": lambda s: setattr(s, "trace_state", "a=b"),
    "parent": lambda s: setattr(s, "parent_span_id", b"12345678"),
    "status": lambda s: setattr(s.status, "message", "other"),
    "dropped attributes": lambda s: setattr(s, "dropped_attributes_count", 99),
    "dropped events": lambda s: setattr(s, "dropped_events_count", 99),
    "dropped links": lambda s: setattr(s, "dropped_links_count", 99),
    "an attribute": lambda s: s.attributes.add(key="new"),
    "an event": lambda s: s.events.add(name="new"),
    "a link": lambda s: s.links.add(),
    "the type of a value": lambda s: s.attributes.add(key="n").value.MergeFrom(integer(1)),
    "the trace": lambda s: setattr(s, "trace_id", b"1234567890123456"),
}


def integer(value):
    """An AnyValue with an int in it."""
    holder = ResourceSpans()
    holder.resource.attributes.add(key="x").value.int_value = value
    return holder.resource.attributes[0].value


@pytest.fixture(scope="module")
def sent():
    """A hundred spans of the factory, encoded."""
    exporter = InMemorySpanExporter()
    make_spans(make_provider("canonical", [SimpleSpanProcessor(exporter)]), 100)
    return list(encode_spans(exporter.get_finished_spans()).resource_spans)


@pytest.mark.parametrize("change", CHANGES, ids=str)
def test_a_change_in_any_field_is_a_difference(sent, change):
    """Nothing about a span can change without the comparison saying so."""
    changed = copy.deepcopy(sent)
    CHANGES[change](changed[0].scope_spans[1].spans[5])
    assert differences(canonical_spans(sent), canonical_spans(changed))


def test_a_change_of_resource_or_scope_is_a_difference(sent):
    """Resource and scope belong to every span they cover."""
    for part in ("resource", "scope"):
        changed = copy.deepcopy(sent)
        owner = changed[0] if part == "resource" else changed[0].scope_spans[0]
        getattr(owner, part).attributes.add(key="new")
        assert differences(canonical_spans(sent), canonical_spans(changed))
        owner.schema_url = "elsewhere"
        assert differences(canonical_spans(sent), canonical_spans(changed))


def test_order_of_spans_and_attributes_does_not_matter(sent):
    """The same spans in another order are the same spans."""
    shuffled = copy.deepcopy(sent)
    for of_scope in shuffled[0].scope_spans:
        of_scope.spans.reverse()
        for span in of_scope.spans:
            span.attributes.reverse()
    assert differences(canonical_spans(sent), canonical_spans(shuffled)) == []


def test_the_factory_covers_the_span_data_model(sent):
    """Every kind of value, status, span and drop that the SDK can make is among the spans."""
    spans = [s for of_scope in sent[0].scope_spans for s in of_scope.spans]
    values = {a.value.WhichOneof("value") for s in spans for a in s.attributes}
    assert values == {"string_value", "bool_value", "int_value", "double_value", "array_value"}
    assert {s.kind for s in spans} == {1, 2, 3, 4, 5}
    assert {s.status.code for s in spans} == {0, 1, 2}
    assert any(s.dropped_attributes_count for s in spans)
    assert any(s.dropped_events_count for s in spans)
    assert any(s.dropped_links_count for s in spans)
    assert any(s.trace_state for s in spans)
    assert any(x.attributes for s in spans for x in (*s.links, *s.events))
    assert any(x.dropped_attributes_count for s in spans for x in s.links)
    assert any(x.dropped_attributes_count for s in spans for x in s.events)


def test_a_span_that_is_there_twice_is_refused(sent):
    """A duplicate cannot hide behind its twin."""
    with pytest.raises(AssertionError, match="twice"):
        canonical_spans([*sent, *sent])
