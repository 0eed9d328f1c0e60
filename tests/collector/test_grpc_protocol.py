"""OTLP over gRPC, as the specification asks for it."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from grpc_status import rpc_status
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.collector.conftest import Collector, Shared, wait_until
from tests.collector.otlp_requirements import proves
from tests.collector.otlp_samples import identity, make_request, make_span


def failure(call: Callable[[], object]) -> grpc.Call:
    """Return the error that a call must end with."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    return caught.value


@proves("grpc-success", "grpc-success-unset", "grpc-response-message")
@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_good_batch_is_acknowledged_and_stored(
    shared: Shared, compression: grpc.Compression
) -> None:
    """A valid batch gets an empty response, plain and in gzip."""
    span = make_span()
    answer = shared.collector.call(make_request(span), compression=compression)
    assert not ExportTraceServiceResponse.FromString(answer).HasField("partial_success")
    wait_until(lambda: shared.store.span_counts()[identity(span)] == 1)


@proves("grpc-partial")
def test_a_bad_span_does_not_take_the_others_along(shared: Shared) -> None:
    """Part of a batch bad: the count and the reason come back, the rest is kept."""
    good = make_span()
    answer = shared.collector.call(make_request(make_span(span_id=bytes(8)), good))
    partial = ExportTraceServiceResponse.FromString(answer).partial_success
    assert partial.rejected_spans == 1
    assert "span_id" in partial.error_message
    wait_until(lambda: shared.store.span_counts()[identity(good)] == 1)


@proves("grpc-warning")
def test_odd_times_are_kept_with_a_warning(shared: Shared) -> None:
    """A warning rejects nothing and says something."""
    answer = shared.collector.call(make_request(make_span(start_time_unix_nano=0)))
    partial = ExportTraceServiceResponse.FromString(answer).partial_success
    assert partial.rejected_spans == 0
    assert partial.error_message


@pytest.mark.parametrize(
    ("key", "code"),
    [("", grpc.StatusCode.UNAUTHENTICATED), ("nonsense", grpc.StatusCode.UNAUTHENTICATED)],
)
def test_without_a_valid_key_nothing_is_accepted(
    shared: Shared, key: str, code: grpc.StatusCode
) -> None:
    """A missing or malformed key is UNAUTHENTICATED."""
    assert failure(lambda: shared.collector.call(make_request(), key=key)).code() is code


def test_a_key_without_the_scope_is_forbidden(shared: Shared) -> None:
    """A key that may only read is PERMISSION_DENIED."""
    _, key = shared.home.mint("read")
    error = failure(lambda: shared.collector.call(make_request(), key=key))
    assert error.code() is grpc.StatusCode.PERMISSION_DENIED


def test_undecodable_messages_are_invalid(shared: Shared) -> None:
    """What is no trace request is INVALID_ARGUMENT with details."""
    error = failure(lambda: shared.collector.call(b"\x0a\xff\xff"))
    assert error.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert rpc_status.from_call(error).details


@proves("grpc-size-limit")
@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_oversized_messages_are_refused(shared: Shared, compression: grpc.Compression) -> None:
    """Too large, or becoming so: RESOURCE_EXHAUSTED, and no hint to try again."""
    error = failure(lambda: shared.collector.call(bytes((4 << 20) + 1), compression=compression))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert rpc_status.from_call(error) is None


@proves("grpc-response-limit")
def test_responses_stay_small(shared: Shared) -> None:
    """However many spans are refused and however long their names, the answer is short."""
    spans = [make_span(trace_id=b"x", name="n" * 50_000 + str(i)) for i in range(20)]
    assert len(shared.collector.call(make_request(*spans, make_span()))) < 8192


def test_a_key_that_sends_too_fast_is_told_when_to_try_again(
    launch: Callable[..., Collector],
) -> None:
    """Over its rate a key gets RESOURCE_EXHAUSTED with RetryInfo, and 429 with Retry-After."""
    collector = launch("--max-spans-per-second", "2")
    batch = make_request(*(make_span() for _ in range(11)))
    collector.call(batch)
    error = failure(lambda: collector.call(batch))
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    detail = RetryInfo()
    assert rpc_status.from_call(error).details[0].Unpack(detail)
    assert detail.retry_delay.seconds >= 1
    response = collector.post(batch)
    assert response.status_code == 429
    assert int(response.headers["retry-after"]) >= 1
