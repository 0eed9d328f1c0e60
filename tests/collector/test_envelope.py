"""The envelope goes before a body and comes off again without a trace."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from agentguard_collector.envelope import Envelope, check, decode, encode, read_varint, varint
from tests.collector.otlp_strategies import requests, texts

envelopes = st.builds(
    Envelope,
    project_id=texts,
    received_at=st.integers(0, 2**64 - 1),
    retention_days=st.integers(0, 2**32 - 1),
    region=texts,
    batch_id=st.binary(min_size=16, max_size=16),
)


@given(envelopes, requests())
def test_what_goes_in_comes_out(envelope: Envelope, request: ExportTraceServiceRequest) -> None:
    """A record decodes to the envelope and the very bytes of the body."""
    body = request.SerializeToString()
    framed = b"".join(encode(envelope, body))
    size, start = read_varint(framed, 0)
    assert start + size == len(framed)
    assert check(framed[start:])
    assert decode(framed[start:]) == (envelope, body)


@given(envelopes, requests())
def test_a_record_is_still_a_trace_request(
    envelope: Envelope, request: ExportTraceServiceRequest
) -> None:
    """To a protobuf parser the envelope's fields are unknown ones beside the same spans."""
    framed = b"".join(encode(envelope, request.SerializeToString()))
    found = ExportTraceServiceRequest.FromString(framed[read_varint(framed, 0)[1] :])
    assert list(found.resource_spans) == list(request.resource_spans)


@given(envelopes, st.binary(max_size=50), st.data())
def test_any_flipped_bit_is_noticed(envelope: Envelope, body: bytes, data: st.DataObject) -> None:
    """No single damaged bit passes the check."""
    framed = b"".join(encode(envelope, body))
    record = bytearray(framed[read_varint(framed, 0)[1] :])
    record[data.draw(st.integers(0, len(record) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    assert not check(bytes(record))


@given(st.integers(0, 2**35 - 1))
def test_varints_round_trip(value: int) -> None:
    """Lengths are read as they were written."""
    assert read_varint(varint(value), 0) == (value, len(varint(value)))
