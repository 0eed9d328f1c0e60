"""OTLP/JSON becomes the protobuf it stands for."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentguard_collector.errors import BadData
from agentguard_collector.otlp import Rejections
from agentguard_collector.otlp_json import to_protobuf
from tests.collector.otlp_requirements import proves
from tests.collector.otlp_strategies import requests, to_json

IDS = {"traceId": "5B8EFFF798038103D269B633813FC60C", "spanId": "eee19b7ec3c1b174"}


def convert(document: Any) -> tuple[ExportTraceServiceRequest, Rejections]:
    """Convert a document and parse what comes out."""
    rejected = Rejections()
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return ExportTraceServiceRequest.FromString(to_protobuf(body, rejected)), rejected


def wrap(*spans: object) -> dict[str, Any]:
    """Put spans into a request."""
    return {"resourceSpans": [{"scopeSpans": [{"spans": list(spans)}]}]}


def one(**fields: object) -> Any:
    """Convert one span with these fields, which must be accepted."""
    request, rejected = convert(wrap({**IDS, **fields}))
    assert rejected.reasons == []
    return request.resource_spans[0].scope_spans[0].spans[0]


def reason(**fields: object) -> str:
    """Return why a span with these fields is refused; the one beside it must be kept."""
    request, rejected = convert(wrap({**IDS, **fields}, IDS))
    assert rejected.count == 1
    assert len(request.resource_spans[0].scope_spans[0].spans) == 1
    return rejected.reasons[0]


@given(requests())
def test_any_request_survives_the_way_through_json(request: ExportTraceServiceRequest) -> None:
    """Whatever OTLP can say in protobuf, its JSON form converts back to exactly that."""
    assert convert(to_json(request))[0] == request


@proves("json-hex-ids")
def test_ids_are_hex_of_any_case() -> None:
    """Ids are hex; base64, spaces and odd digits are refused with their span."""
    assert one().trace_id.hex() == IDS["traceId"].lower()
    assert one(traceId=IDS["traceId"].lower()).trace_id.hex() == IDS["traceId"].lower()
    for bad in ("W47/95gDgQPSabYzgT/GDA==", "5b 8e", "abc", 7):
        assert "traceId" in reason(traceId=bad)
    assert "hex" in reason(links=[{"traceId": "W47/95gDgQPSabYzgT/GDA=="}])


@proves("json-enum-integers")
def test_enums_are_integers_only() -> None:
    """Names of enum values are refused."""
    assert one(kind=2).kind == 2
    assert "kind" in reason(kind="SPAN_KIND_SERVER")
    assert "code" in reason(status={"code": "STATUS_CODE_OK"})


@proves("json-unknown-fields")
def test_unknown_names_are_ignored() -> None:
    """A field this version does not know changes nothing, wherever it stands."""
    document = wrap({**IDS, "future": {"a": [1]}})
    document["alsoNew"] = 1
    document["resourceSpans"][0]["new"] = None
    assert convert(document)[0] == convert(wrap(IDS))[0]


@proves("json-camel-case")
def test_original_field_names_are_not_valid() -> None:
    """snake_case names do not count, and a request of nothing else is refused, not lost."""
    assert one(trace_state="a=b").trace_state == ""
    with pytest.raises(BadData, match="lowerCamelCase"):
        convert({"resource_spans": []})


@proves("json-integers")
@pytest.mark.parametrize("value", [1544712660000000000, "1544712660000000000"])
def test_64_bit_integers_are_numbers_or_strings(value: object) -> None:
    """Both forms give the same time, to the nanosecond."""
    assert one(startTimeUnixNano=value).start_time_unix_nano == 1544712660000000000


@pytest.mark.parametrize(
    ("value", "expected"), [("NaN", math.nan), ("Infinity", math.inf), ("-Infinity", -math.inf)]
)
def test_special_doubles_are_strings(value: str, expected: float) -> None:
    """NaN and the infinities come as strings."""
    found = one(attributes=[{"key": "k", "value": {"doubleValue": value}}])
    assert found.attributes[0].value.double_value == pytest.approx(expected, nan_ok=True)


@pytest.mark.parametrize(
    "fields",
    [
        {"startTimeUnixNano": "-1"},
        {"startTimeUnixNano": 2**64},
        {"startTimeUnixNano": 1.5},
        {"startTimeUnixNano": True},
        {"startTimeUnixNano": "1_000"},
        {"droppedLinksCount": 2**32},
        {"name": 5},
        {"name": "\ud800"},
        {"attributes": {"a": 1}},
        {"attributes": [{"key": "k", "value": "bare"}]},
        {"attributes": [{"key": "k", "value": {"stringValue": "a", "intValue": 1}}]},
        {"attributes": [{"key": "k", "value": {"boolValue": 1}}]},
        {"attributes": [{"key": "k", "value": {"doubleValue": "one"}}]},
        {"attributes": [{"key": "k", "value": {"bytesValue": "!!"}}]},
        {"events": [7]},
        {"status": "OK"},
    ],
)
def test_impossible_values_cost_only_their_span(fields: dict[str, object]) -> None:
    """A value that its field cannot hold is refused with its span, naming the field."""
    assert next(iter(fields)) in reason(**fields)


def test_deep_values_cost_only_their_span() -> None:
    """Values nested deeper than protobuf can carry are refused with their span."""
    value: dict[str, Any] = {"stringValue": "x"}
    for _ in range(60):
        value = {"arrayValue": {"values": [value]}}
    assert "nested" in reason(attributes=[{"key": "k", "value": value}])


@pytest.mark.parametrize(
    "body",
    [
        b"[" * 100_000,
        b'{"resourceSpans":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a":' * 100_000,
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{'a': 1}",
        b'{"resourceSpans": NaN}',
        b'{"resourceSpans": {}}',
        b'{"resourceSpans": [1]}',
        b'{"resourceSpans": [{"resource": []}]}',
        b'{"a": "\xff\xfe"}',
        b'{"a": ' + b"9" * 10_000 + b"}",
        b'{"resourceSpans": [',
    ],
)
def test_other_documents_are_bad_data(body: bytes) -> None:
    """What is no OTLP/JSON trace request is refused in words, however it is malformed."""
    with pytest.raises(BadData):
        convert(body)


@given(st.binary(max_size=200) | st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(
        st.sampled_from(["resourceSpans", "scopeSpans", "spans", "traceId", "attributes"])
        | st.text(), inner,
    ),
).map(lambda value: json.dumps(value).encode()))  # fmt: skip
def test_nothing_else_than_bad_data_is_raised(body: bytes) -> None:
    """No input makes the converter fail in an unforeseen way."""
    try:
        convert(body)
    except BadData as refusal:
        assert refusal.message  # noqa: PT017 - either way is right


EXAMPLES = Path(__file__).parent / "otlp_examples"


def test_the_specification_s_trace_example_is_accepted() -> None:
    """opentelemetry-proto's examples/trace.json converts, ids and times intact."""
    request, rejected = convert((EXAMPLES / "trace.json").read_bytes())
    span = request.resource_spans[0].scope_spans[0].spans[0]
    assert rejected.count == 0
    assert span.span_id.hex() == "eee19b7ec3c1b174"
    assert span.end_time_unix_nano - span.start_time_unix_nano == 10**9


@pytest.mark.parametrize("name", ["logs", "metrics", "events"])
def test_the_specification_s_other_examples_are_refused(name: str) -> None:
    """Logs, metrics and events are refused, saying what they are."""
    with pytest.raises(BadData, match=r"logs|metrics"):
        convert((EXAMPLES / f"{name}.json").read_bytes())
