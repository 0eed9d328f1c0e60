"""What a sender is told when its request is not accepted.

Refusal
├── BadData            400  INVALID_ARGUMENT     never retried
├── Unauthenticated    401  UNAUTHENTICATED
├── Forbidden          403  PERMISSION_DENIED
├── NotFound           404  NOT_FOUND            the control plane's API alone
├── Conflict           409  ALREADY_EXISTS       the control plane's API alone
├── MethodNotAllowed   405  UNIMPLEMENTED
├── TooLarge           413  RESOURCE_EXHAUSTED   never retried (no RetryInfo)
├── UnsupportedMedia   415  UNIMPLEMENTED
├── RateLimited        429  RESOURCE_EXHAUSTED   retried after `retry_after`
└── Unavailable        503  UNAVAILABLE          retried after `retry_after`

The pairs follow https://opentelemetry.io/docs/specs/otlp/#failures and #failures-1.
"""

from __future__ import annotations

from typing import ClassVar

from grpc import StatusCode

__all__ = [
    "BadData",
    "Conflict",
    "Forbidden",
    "MethodNotAllowed",
    "NotFound",
    "RateLimited",
    "Refusal",
    "TooLarge",
    "Unauthenticated",
    "Unavailable",
    "UnsupportedMedia",
]


class Refusal(Exception):  # noqa: N818 - it says what happened to the request
    """A request that is not accepted.

    `message` is for the sender's developer; `reason` labels the rejection counter;
    `retry_after` is seconds, or None when retrying the same data cannot help.
    """

    http_status: ClassVar[int]
    grpc_status: ClassVar[StatusCode]
    default_reason: ClassVar[str]

    def __init__(
        self, message: str, *, reason: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason or self.default_reason
        self.retry_after = retry_after


class BadData(Refusal):
    """The payload cannot be decoded or carries no valid span."""

    http_status, grpc_status = 400, StatusCode.INVALID_ARGUMENT
    default_reason = "bad_data"


class Unauthenticated(Refusal):
    """No key, or one that is malformed, unknown, expired or revoked."""

    http_status, grpc_status = 401, StatusCode.UNAUTHENTICATED
    default_reason = "unauthenticated"


class Forbidden(Refusal):
    """A valid key that may not do this."""

    http_status, grpc_status = 403, StatusCode.PERMISSION_DENIED
    default_reason = "forbidden"


class NotFound(Refusal):
    """What is asked about does not exist in the caller's project."""

    http_status, grpc_status = 404, StatusCode.NOT_FOUND
    default_reason = "not_found"


class Conflict(Refusal):
    """An id was used before, for something else."""

    http_status, grpc_status = 409, StatusCode.ALREADY_EXISTS
    default_reason = "conflict"


class MethodNotAllowed(Refusal):
    """Anything but POST on an OTLP path."""

    http_status, grpc_status = 405, StatusCode.UNIMPLEMENTED
    default_reason = "method_not_allowed"


class TooLarge(Refusal):
    """More bytes than the limit, before or after decompression."""

    http_status, grpc_status = 413, StatusCode.RESOURCE_EXHAUSTED
    default_reason = "too_large"


class UnsupportedMedia(Refusal):
    """A content type or content encoding that is not spoken here."""

    http_status, grpc_status = 415, StatusCode.UNIMPLEMENTED
    default_reason = "unsupported_media"


class RateLimited(Refusal):
    """The key sends faster than it may."""

    http_status, grpc_status = 429, StatusCode.RESOURCE_EXHAUSTED
    default_reason = "rate_limited"


class Unavailable(Refusal):
    """The spans cannot be made durable right now."""

    http_status, grpc_status = 503, StatusCode.UNAVAILABLE
    default_reason = "unavailable"
