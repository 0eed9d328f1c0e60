"""Peculiarities of OTLP/JSON as exporters in the wild write it."""

import json
import os
import time
import uuid

import httpx2

from agentguard_storage.queries.plain import plain_attributes
from tests.plain_http import NO_TLS


def test_what_opentelemetry_js_writes_is_taken_as_it_means_it(pipeline):
    """A schemaUrl in the resource is ignored, ints are numbers, NaN (null) is an absent value."""
    service = f"interop-{uuid.uuid4().hex[:12]}"
    now = time.time_ns()
    attributes = [
        {"key": "int", "value": {"intValue": 9007199254740991}},
        {"key": "quoted", "value": {"intValue": "-9223372036854775808"}},
        {"key": "nan", "value": {"doubleValue": None}},
        {"key": "whole", "value": {"doubleValue": 1}},
    ]
    span = {
        "traceId": os.urandom(16).hex().upper(),
        "spanId": os.urandom(8).hex(),
        "name": "js",
        "kind": 1,
        "startTimeUnixNano": str(now),
        "endTimeUnixNano": now,
        "attributes": attributes,
        "droppedAttributesCount": 0,
        "events": [],
        "status": {"code": 0},
        "links": [],
        "flags": 257,
        "somethingNew": {"of": ["a later version"]},
    }
    resource = {
        "attributes": [{"key": "service.name", "value": {"stringValue": service}}],
        "droppedAttributesCount": 0,
        "schemaUrl": "https://opentelemetry.io/schemas/1.36.0",
    }
    scope_spans = [{"scope": {"name": "s"}, "spans": [span]}]
    answer = httpx2.post(
        f"{pipeline.otlp_http}/v1/traces",
        content=json.dumps({"resourceSpans": [{"resource": resource, "scopeSpans": scope_spans}]}),
        headers={"content-type": "application/json", **pipeline.stack.headers},
        verify=NO_TLS,
    )
    assert answer.status_code == 200
    [of_resource] = pipeline.read_back(service)
    [found] = of_resource.scope_spans[0].spans
    assert (found.trace_id.hex(), found.name) == (span["traceId"].lower(), "js")
    assert (found.start_time_unix_nano, found.end_time_unix_nano, found.flags) == (now, now, 257)
    assert plain_attributes(found.attributes) == {
        "int": 9007199254740991,
        "quoted": -(2**63),
        "nan": None,
        "whole": 1.0,
    }
    kinds = {attribute.key: attribute.value.WhichOneof("value") for attribute in found.attributes}
    assert kinds["whole"] == "double_value"
