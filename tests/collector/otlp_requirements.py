"""What the OTLP specification demands of a server, by id; each is proved by a test that says so.

Source: https://opentelemetry.io/docs/specs/otlp/ (1.10), sections by their anchors. Demands on
other signals' paths and on clients are left out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

_SPEC = "https://opentelemetry.io/docs/specs/otlp/"


@dataclass(frozen=True)
class Requirement:
    """One MUST of the server side."""

    section: str
    behaviour: str

    @property
    def url(self) -> str:
        """Where the demand is made."""
        return f"{_SPEC}#{self.section}"


REQUIREMENTS = {
    "compression-none": Requirement("protocol-details", "Requests without compression are read."),
    "compression-gzip": Requirement("protocol-details", "Requests in gzip are read."),
    "grpc-size-limit": Requirement(
        "otlpgrpc-request",
        "A message over the limit, decompressed or not, is RESOURCE_EXHAUSTED without RetryInfo.",
    ),
    "grpc-response-message": Requirement(
        "otlpgrpc-response", "The response is the message that fits the case."
    ),
    "grpc-response-limit": Requirement(
        "otlpgrpc-response", "The size of a response is limited, also before compression."
    ),
    "grpc-success": Requirement("full-success", "Success is an ExportTraceServiceResponse."),
    "grpc-success-unset": Requirement("full-success", "On success partial_success is unset."),
    "grpc-partial": Requirement(
        "partial-success", "Part of the data accepted: partial_success and rejected_spans are set."
    ),
    "grpc-warning": Requirement(
        "partial-success", "A warning has rejected_spans 0 and a message that is not empty."
    ),
    "http-protobuf-type": Requirement(
        "binary-protobuf-encoding", "A binary response says application/x-protobuf."
    ),
    "json-enum-integers": Requirement(
        "json-protobuf-encoding", "Enum values are integers; names are not taken."
    ),
    "json-hex-ids": Requirement(
        "json-protobuf-encoding", "Ids are hex digits of any case, never base64."
    ),
    "json-unknown-fields": Requirement(
        "json-protobuf-encoding", "Fields with unknown names are ignored."
    ),
    "json-camel-case": Requirement(
        "json-protobuf-encoding", "Keys are lowerCamelCase; original names are not valid."
    ),
    "json-integers": Requirement(
        "json-protobuf-encoding", "64-bit integers are taken as numbers and as strings."
    ),
    "http-json-type": Requirement(
        "json-protobuf-encoding", "A JSON response says application/json."
    ),
    "http-size-limit": Requirement(
        "otlphttp-request", "A body over the limit, decompressed or not, is answered with 413."
    ),
    "http-response-message": Requirement(
        "otlphttp-response", "The body is the Protobuf message that fits the case."
    ),
    "http-response-limit": Requirement(
        "otlphttp-response", "The size of a response is limited, also before compression."
    ),
    "http-same-type": Requirement(
        "otlphttp-response", "The response has the Content-Type of the request."
    ),
    "http-success": Requirement(
        "full-success-1", "Success is 200 with an ExportTraceServiceResponse."
    ),
    "http-success-unset": Requirement("full-success-1", "On success partial_success is unset."),
    "http-partial": Requirement(
        "partial-success-1", "Part of the data accepted: 200, rejected_spans says how many not."
    ),
    "http-warning": Requirement(
        "partial-success-1", "A warning has rejected_spans 0 and a message that is not empty."
    ),
    "http-failure-status": Requirement("failures-1", "A failure is answered with 4xx or 5xx."),
    "http-failure-body": Requirement(
        "failures-1", "The body of every 4xx and 5xx is a google.rpc.Status."
    ),
    "http-bad-data": Requirement("bad-data", "Data that cannot be decoded is answered with 400."),
}


def proves(*ids: str) -> Any:
    """Mark a test as the proof of requirements."""
    return pytest.mark.otlp(*ids)
