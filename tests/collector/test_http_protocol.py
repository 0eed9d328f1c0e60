"""OTLP over HTTP, as the specification asks for it."""

from __future__ import annotations

import gzip
import json
import zlib
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
import zstandard
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.collector.conftest import PROTOBUF, Shared, wait_until
from tests.collector.otlp_requirements import proves
from tests.collector.otlp_samples import identity, make_request, make_span

JSON = "application/json"
COMPRESSIONS = {
    "gzip": gzip.compress,
    "deflate": zlib.compress,
    "zstd": zstandard.ZstdCompressor().compress,
}


def status_of(response: httpx2.Response) -> Status:
    """Decode a refusal, which must be a google.rpc.Status in the request's encoding."""
    assert response.headers["content-type"] == PROTOBUF
    status = Status.FromString(response.content)
    assert status.message
    assert "Traceback" not in status.message
    return status


@proves("compression-none", "http-success", "http-success-unset", "http-protobuf-type")
@proves("http-response-message")
def test_a_good_batch_is_acknowledged_and_stored(shared: Shared) -> None:
    """A valid batch gets 200 with an empty response, and its spans reach the store."""
    span = make_span()
    response = shared.collector.post(make_request(span))
    assert response.status_code == 200
    assert response.headers["content-type"] == PROTOBUF
    assert not ExportTraceServiceResponse.FromString(response.content).HasField("partial_success")
    wait_until(lambda: shared.store.span_counts()[identity(span)] == 1)


@proves("compression-gzip")
@pytest.mark.parametrize("encoding", COMPRESSIONS)
def test_compressed_batches_are_read(shared: Shared, encoding: str) -> None:
    """gzip, deflate and zstd bodies store the same spans as plain ones."""
    spans = [make_span() for _ in range(300)]
    body = COMPRESSIONS[encoding](make_request(*spans).SerializeToString())
    assert shared.collector.post(body, content_encoding=encoding).status_code == 200
    wait_until(lambda: all(shared.store.span_counts()[identity(s)] == 1 for s in spans))


@pytest.mark.parametrize("encoding", COMPRESSIONS)
@pytest.mark.parametrize("damage", ["truncated", "garbage", "trailing", "undeclared"])
def test_damaged_compression_is_bad_data(shared: Shared, encoding: str, damage: str) -> None:
    """A body that is not what its Content-Encoding says gets 400 and a reason."""
    whole = COMPRESSIONS[encoding](make_request(make_span()).SerializeToString() * 50)
    body = {
        "truncated": whole[:-5],
        "garbage": b"\x00garbage" * 20,
        "trailing": whole + b"trailing garbage",
        "undeclared": make_request(make_span()).SerializeToString(),
    }[damage]
    response = shared.collector.post(body, content_encoding=encoding)
    assert response.status_code == 400
    assert encoding in status_of(response).message


def test_an_empty_request_is_a_success(shared: Shared) -> None:
    """A request without any span is accepted."""
    assert shared.collector.post(b"").status_code == 200
    assert shared.collector.post(b"{}", JSON).status_code == 200


@proves("http-partial")
@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"trace_id": bytes(range(15))}, "16 bytes"),
        ({"trace_id": bytes(16)}, "zeros"),
        ({"span_id": bytes(8)}, "zeros"),
        ({"span_id": b"1234567"}, "8 bytes"),
        ({"parent_span_id": b"1234"}, "parent_span_id"),
    ],
)
def test_a_bad_span_does_not_take_the_others_along(
    shared: Shared, fields: dict[str, bytes], reason: str
) -> None:
    """Spans with impossible ids are counted and explained; the good ones are kept."""
    good = make_span()
    response = shared.collector.post(make_request(make_span(**fields), good))
    assert response.status_code == 200
    partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert partial.rejected_spans == 1
    assert reason in partial.error_message
    wait_until(lambda: shared.store.span_counts()[identity(good)] == 1)


@proves("http-warning")
def test_odd_times_are_kept_with_a_warning(shared: Shared) -> None:
    """A span that ends before it starts is stored; the sender is told."""
    span = make_span(end_time_unix_nano=5)
    response = shared.collector.post(make_request(span))
    partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert (response.status_code, partial.rejected_spans) == (200, 0)
    assert partial.error_message
    wait_until(lambda: shared.store.span_counts()[identity(span)] == 1)


def test_invalid_utf8_costs_only_its_own_span(shared: Shared) -> None:
    """A span with invalid UTF-8 is refused by itself, not with its whole batch."""
    good = make_span()
    body = make_request(make_span(name="BROKEN"), good).SerializeToString()
    response = shared.collector.post(body.replace(b"BROKEN", b"BR\xff\xfeEN"))
    partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert (response.status_code, partial.rejected_spans) == (200, 1)
    assert "UTF-8" in partial.error_message
    wait_until(lambda: shared.store.span_counts()[identity(good)] == 1)


def test_a_value_nested_too_deep_costs_only_its_own_span(shared: Shared) -> None:
    """A value that protobuf cannot parse is refused with its span alone."""
    deep, good = make_span(), make_span()
    value = b"\x0a\x01x"
    for _ in range(200):
        # AnyValue.array_value (5) holding ArrayValue.values (1)
        inner = b"\x0a" + _varint(len(value)) + value
        value = b"\x2a" + _varint(len(inner)) + inner
    attribute = b"\x0a\x01k\x12" + _varint(len(value)) + value
    raw = deep.SerializeToString() + b"\x4a" + _varint(len(attribute)) + attribute
    scope = b"".join(
        b"\x12" + _varint(len(span)) + span for span in (raw, good.SerializeToString())
    )
    resource = b"\x12" + _varint(len(scope)) + scope
    response = shared.collector.post(b"\x0a" + _varint(len(resource)) + resource)
    partial = ExportTraceServiceResponse.FromString(response.content).partial_success
    assert (response.status_code, partial.rejected_spans) == (200, 1)
    wait_until(lambda: shared.store.span_counts()[identity(good)] == 1)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes([*out, value])


@proves("http-bad-data", "http-failure-status", "http-failure-body")
@pytest.mark.parametrize("body", [b"\x0a\xff\xff", b"not protobuf at all", b"\x0a\x05\x12\x03"])
def test_undecodable_bodies_are_bad_data(shared: Shared, body: bytes) -> None:
    """What is no trace request gets 400 with a Status that holds a BadRequest."""
    response = shared.collector.post(body)
    assert response.status_code == 400
    detail = BadRequest()
    assert status_of(response).details[0].Unpack(detail)
    assert detail.field_violations[0].description


def test_logs_and_metrics_are_refused_with_a_hint(shared: Shared) -> None:
    """Another signal's payload is not stored as garbage spans; the answer names the mistake."""
    from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    logs = ExportLogsServiceRequest()
    record = logs.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=1)
    record.body.string_value = "hello"
    metrics = ExportMetricsServiceRequest()
    metric = metrics.resource_metrics.add().scope_metrics.add().metrics.add(name="cpu")
    metric.gauge.data_points.add(as_int=1)
    for request in (logs, metrics):
        response = shared.collector.post(request.SerializeToString())
        assert response.status_code == 400
    assert "logs or metrics" in status_of(shared.collector.post(logs.SerializeToString())).message


def test_a_metric_that_looks_like_a_span_is_refused(shared: Shared) -> None:
    """A metric whose name and description are as long as ids parses as a span, but is none."""
    from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
        ExportMetricsServiceRequest,
    )

    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add()
    metric.name, metric.description = "process.cpu.time", "CPU time"
    metric.sum.data_points.add(as_int=1)
    response = shared.collector.post(request.SerializeToString())
    assert response.status_code == 400
    assert "metric" in status_of(response).message


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic YTpi"])
def test_without_a_valid_key_nothing_is_accepted(shared: Shared, header: str) -> None:
    """A missing or malformed key gets 401 and says how to authenticate."""
    response = shared.collector.post(make_request(), Authorization=header)
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert status_of(response).code == 16


def test_expired_and_revoked_keys_are_refused(shared: Shared) -> None:
    """A key whose time is over gets 401."""
    soon = datetime.now(UTC) + timedelta(milliseconds=300)
    _, expiring = shared.home.mint("ingest", expires_at=soon)
    key_id, revoked = shared.home.mint("ingest")
    shared.home.control.keys.revoke(key_id)
    for key in (expiring, revoked):
        bearer = f"Bearer {key}"
        wait_until(
            lambda bearer=bearer: (
                shared.collector.post(b"", Authorization=bearer).status_code == 401
            )
        )


def test_a_key_without_the_scope_is_forbidden(shared: Shared) -> None:
    """A key that may only read gets 403 when it sends."""
    _, key = shared.home.mint("read")
    response = shared.collector.post(make_request(), Authorization=f"Bearer {key}")
    assert response.status_code == 403
    assert "ingest" in status_of(response).message


def test_the_key_may_come_in_its_own_header(shared: Shared) -> None:
    """`x-api-key` serves those who cannot set Authorization."""
    key = shared.collector.key
    response = shared.collector.post(make_request(), Authorization="", x_api_key=key)
    assert response.status_code == 200


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_only_post_is_possible(shared: Shared, method: str) -> None:
    """Other methods get 405 and are told which one is."""
    response = shared.collector.client.request(method, f"{shared.collector.url}/v1/traces")
    assert response.status_code == 405
    assert response.headers["allow"] == "POST"


@pytest.mark.parametrize("kind", ["text/plain", "", "application/xml"])
def test_unknown_content_types_are_refused(shared: Shared, kind: str) -> None:
    """A content type that is not OTLP's gets 415."""
    assert shared.collector.post(make_request(), kind).status_code == 415


def test_unknown_encodings_are_refused(shared: Shared) -> None:
    """A content encoding that is not spoken gets 415 with those that are."""
    response = shared.collector.post(make_request(), content_encoding="br")
    assert response.status_code == 415
    assert "gzip" in status_of(response).message


@proves("http-size-limit")
@pytest.mark.parametrize("encoding", ["identity", *COMPRESSIONS])
def test_oversized_bodies_are_refused(shared: Shared, encoding: str) -> None:
    """A body that is too large, or becomes so, gets 413."""
    body = bytes((4 << 20) + 1)
    if encoding != "identity":
        body = COMPRESSIONS[encoding](body)
        assert len(body) < 100_000
    response = shared.collector.post(body, content_encoding=encoding)
    assert response.status_code == 413
    assert status_of(response).message


def test_a_body_of_unknown_length_is_bounded_too(shared: Shared) -> None:
    """A chunked body is refused as soon as it passes the limit."""
    response = shared.collector.client.post(
        f"{shared.collector.url}/v1/traces",
        content=(bytes(1 << 20) for _ in range(6)),
        headers={"Content-Type": PROTOBUF, "Authorization": f"Bearer {shared.collector.key}"},
    )
    assert response.status_code == 413


@proves("http-response-limit")
def test_responses_stay_small(shared: Shared) -> None:
    """However many spans are refused and however long their names, the answer is short."""
    spans = [make_span(trace_id=b"x", name="n" * 50_000 + str(i)) for i in range(20)]
    assert len(shared.collector.post(make_request(*spans, make_span())).content) < 8192
    assert len(shared.collector.post(make_request(*spans)).content) < 16_384


@proves("http-same-type", "http-json-type")
def test_json_is_answered_in_json(shared: Shared) -> None:
    """Success, partial success and failure of a JSON request are JSON."""
    good = {"traceId": "0af7651916cd43dd8448eb211c80319c", "spanId": "b7ad6b7169203331"}
    good |= {"startTimeUnixNano": "1", "endTimeUnixNano": 2}

    def send(*spans: object) -> httpx2.Response:
        body = {"resourceSpans": [{"scopeSpans": [{"spans": spans}]}]}
        response = shared.collector.post(json.dumps(body).encode(), JSON)
        assert response.headers["content-type"] == JSON
        return response

    assert send(good).json() == {}
    partial = send(good, {"traceId": "zz"}).json()["partialSuccess"]
    assert partial["rejectedSpans"] == "1"
    assert "traceId" in partial["errorMessage"]
    refused = send({"traceId": "zz"})
    assert (refused.status_code, refused.json()["code"]) == (400, 3)
    assert refused.json()["details"][0]["@type"].endswith("google.rpc.BadRequest")


def test_large_spans_are_no_problem(shared: Shared) -> None:
    """Ten thousand attributes, and one of three megabytes, are accepted."""
    wide, heavy = make_span(), make_span()
    for number in range(10_000):
        wide.attributes.add(key=f"key.{number}").value.int_value = number
    heavy.attributes.add(key="big").value.string_value = "x" * (3 << 20)
    assert shared.collector.post(make_request(wide)).status_code == 200
    assert shared.collector.post(make_request(heavy)).status_code == 200


def test_operators_can_look_in(shared: Shared) -> None:
    """/healthz, /readyz and /metrics answer without a key."""
    client, url = shared.collector.client, shared.collector.url
    assert client.get(f"{url}/healthz").status_code == 200
    ready = client.get(f"{url}/readyz")
    assert (ready.status_code, ready.json()["ready"]) == (200, True)
    refused = 'agentguard_refused_requests_total{reason="unauthenticated"}'
    before = shared.collector.metric(refused)
    shared.collector.post(b"", Authorization="")
    assert shared.collector.metric(refused) == before + 1
