"""What a span carried comes back out unchanged."""

import json

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from agentguard_storage.queries.hours import TimeRange
from agentguard_storage.queries.traces import list_traces
from tests.interop.canonical import canonical_spans, differences
from tests.interop.span_factory import make_provider, make_spans
from tests.storage.telemetry.message_texts import CONTENTS, CONVERSATION, content_texts
from tests.storage.telemetry.telemetry_store import ALWAYS, make_span, request_of

NESTED = {"list": [1, [2.5, "x", [b"\x00\xff", None]], {"deep": [True, {}]}], "none": None, "": []}
VALUES = {
    "empty string": "",
    "zero": 0,
    "false": False,
    "zero point": 0.0,
    "absent": None,
    "bytes": b"\x00\xff\xfe not text",
    "no bytes": b"",
    "empty list": [],
    "empty map": {},
    "nested": NESTED,
    "largest": 2**63 - 1,
    "smallest": -(2**63),
    "not a number": float("nan"),
    "minus zero": -0.0,
    "a zero byte": "a\0b",
    "": "no key",
}
TIMES = {
    "both zero": (0, 0),
    "end before start": (1_760_000_000_000_000_000, 1_750_000_000_000_000_000),
    "1970": (1, 999),
    "end of 2106": (4_294_967_295_999_999_999, 4_294_967_296_000_000_000),
    "2262": (9_223_372_036_854_775_807, 9_223_372_036_854_775_808),
    "2300": (10_413_792_000_000_000_000, 10_413_792_000_000_000_001),
    "the largest": (2**64 - 1, 2**64 - 1),
}


def assert_comes_back(store, project, *requests):
    """The project holds exactly what the requests carried."""
    sent = canonical_spans(rs for request in requests for rs in request.resource_spans)
    assert differences(sent, canonical_spans(store.read_back(project))) == []


def test_everything_the_sdk_can_express_comes_back(store, project):
    """Spans of the OpenTelemetry SDK are read back equal, field by field, resource to links."""
    exporter = InMemorySpanExporter()
    make_spans(make_provider("fidelity", [SimpleSpanProcessor(exporter)]), 500)
    request = encode_spans(exporter.get_finished_spans())
    store.insert([request], project=project)
    assert_comes_back(store, project, request)


def test_every_type_of_value_comes_back_from_every_place(store, project):
    """A value keeps its type wherever an attribute can be."""
    values = make_span(VALUES).attributes
    request = request_of(make_span())
    of_resource = request.resource_spans[0]
    of_scope = of_resource.scope_spans[0]
    [span] = of_scope.spans
    event = span.events.add(name="e", time_unix_nano=2**64 - 1)
    link = span.links.add(trace_id=b"t" * 16, span_id=b"s" * 8, flags=2**32 - 1)
    for carrier in (span, event, link, of_scope.scope, of_resource.resource):
        carrier.attributes.extend(values)
        carrier.dropped_attributes_count = 2**32 - 1
    store.insert([request], project=project)
    assert_comes_back(store, project, request)


def test_entity_references_of_a_resource_come_back(store, project):
    """The parts of a resource that are not attributes are kept as well."""
    request = request_of(make_span())
    entity = request.resource_spans[0].resource.entity_refs.add(type="service", schema_url="x")
    entity.id_keys.append("service.name")
    store.insert([request], project=project)
    [found] = store.read_back(project)
    assert found.resource == request.resource_spans[0].resource


def test_a_huge_attribute_comes_back(store, project):
    """Five megabytes in one attribute are kept to the last byte, as text and as bytes."""
    text = "".join(f"{n:07x} naïve " for n in range(400_000))
    assert len(text) > 5_000_000
    request = request_of(make_span({"text": text, "bytes": text.encode()}))
    store.insert([request], project=project)
    assert_comes_back(store, project, request)


def test_very_many_attributes_come_back(store, project):
    """Ten thousand attributes of all types on one span are all kept."""
    values = list(VALUES.values())
    request = request_of(make_span({f"key.{n}": values[n % len(values)] for n in range(10_000)}))
    store.insert([request], project=project)
    assert_comes_back(store, project, request)


def test_keys_that_are_there_twice_come_back_twice(store, project):
    """A sender that repeats a key loses none of its values, whatever their types and lengths."""
    span = make_span({"k": "short", "gen_ai.operation.name": "chat"})
    for value in (1, "other", "long" * 100, "longer" * 100, None, [1], "short"):
        span.attributes.extend(make_span({"k": value}).attributes)
    request = request_of(span)
    store.insert([request], project=project)
    assert_comes_back(store, project, request)


def test_message_contents_come_back_to_the_letter(store, project):
    """A conversation is cut into messages and put together again, however its JSON is written."""
    request = request_of(make_span(CONTENTS))
    store.insert([request], project=project)
    assert_comes_back(store, project, request)


def test_a_message_is_kept_once_however_often_it_is_sent(store, project):
    """Turns that resend their whole history add only what is new to the contents."""
    turns = [json.dumps(CONVERSATION[:n], separators=(",", ":")) for n in (1, 2, 3, 4)]
    spans = [make_span({"gen_ai.input.messages": t}, trace_id=b"t" * 16) for t in turns]
    request = request_of(*spans)
    store.insert([request], project=project)
    kept = store.rows("SELECT content FROM blobs WHERE project_id = {p:String}", p=project)
    assert len(kept) == len(CONVERSATION)
    assert_comes_back(store, project, request)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(batch=st.lists(st.lists(content_texts(), min_size=1), min_size=12, max_size=30))
def test_any_text_comes_back(store, batch):
    """Text is kept to the letter wherever it resembles the places where contents are cut."""
    spans = [make_span({f"key.{n}": text for n, text in enumerate(texts)}) for texts in batch]
    project = f"prj_{spans[0].trace_id.hex()}"
    request = request_of(*spans)
    store.insert([request], project=project)
    assert_comes_back(store, project, request)


def test_any_time_comes_back(store, project):
    """No clock is so wrong that a span is lost, its times changed, or its trace not found."""
    spans = [make_span(start_time_unix_nano=s, end_time_unix_nano=e) for s, e in TIMES.values()]
    request = request_of(*spans)
    store.insert([request], project=project)
    assert_comes_back(store, project, request)
    rows = [store.spans(project, span.trace_id.hex())[0] for span in spans]
    assert [(row.start_time_ns, row.end_time_ns) for row in rows] == list(TIMES.values())
    listed = list_traces(store.reader(project), TimeRange(**ALWAYS)).rows
    assert len(listed) == len(spans)


@settings(max_examples=5, deadline=None)
@given(spans=st.lists(st.tuples(*[st.integers(0, 2**64 - 1)] * 2), min_size=20, max_size=50))
def test_all_times_come_back(store, spans):
    """Whatever 64 bits a sender calls a time, the span is stored and found with them."""
    made = [make_span(start_time_unix_nano=s, end_time_unix_nano=e) for s, e in spans]
    project = f"prj_{made[0].trace_id.hex()}"
    request = request_of(*made)
    store.insert([request], project=project)
    assert_comes_back(store, project, request)


def test_numbers_that_no_enumeration_has_are_stored_as_unspecified(store, project):
    """A kind or status of a later OTLP version keeps nobody's span out."""
    spans = []
    for number in (-1, 6, 99, 128, 2**31 - 1, -(2**31)):
        span = make_span(kind=number)
        span.status.code = number
        spans.append(span)
    store.insert([request_of(*spans)], project=project)
    [found] = store.read_back(project)
    kept = found.scope_spans[0].spans
    assert len(kept) == len(spans)
    assert {(span.kind, span.status.code) for span in kept} == {(Span.SPAN_KIND_UNSPECIFIED, 0)}


def test_thousands_of_contents_are_read(store, project):
    """More traces, contents and resources than fit in a query's text are read all the same."""
    spans = [make_span({"input.value": f"{n} " * 100}) for n in range(1_200)]
    for span in spans[600:]:
        span.trace_id = b"t" * 16
    requests = [request_of(span, service_name=f"service {n}") for n, span in enumerate(spans)]
    store.insert(requests, project=project)
    assert_comes_back(store, project, *requests)
    assert len(store.spans(project, (b"t" * 16).hex())) == 600
