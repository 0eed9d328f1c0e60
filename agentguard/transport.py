"""The HTTP session that AgentGuard's OTLP exporter sends through.

The exporter retries by itself, each release in its own way (1.36 to 1.45 tried). Handing it a
session is its one public seam, so what must hold whatever the release is kept here: which
headers leave, that no redirect is followed, and that nothing is retried once we are closing.
"""

from collections.abc import Mapping
from typing import Any

import requests
from google.protobuf.message import DecodeError
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from requests.adapters import HTTPAdapter

_PROTOCOL_HEADERS = {"content-type", "content-encoding", "user-agent"}


class UndeliveredError(requests.RequestException):
    """A request failed for good: no exporter release retries this one."""


class Session(requests.Session):
    """A session that sends our headers alone and remembers how the last request went.

    `problem` is why spans were lost last, `attempts` counts requests, and `rejected` is how many
    spans the last answer said were not taken.
    """

    def __init__(self, api_key: str | None, headers: Mapping[str, str]) -> None:
        super().__init__()
        self._own_headers = dict(headers)
        if api_key is not None:
            self._own_headers["authorization"] = f"Bearer {api_key}"
        # Without an `auth`, a .netrc entry for the host would replace our Authorization header.
        self.auth = lambda request: request
        self.closing = False
        self.problem = ""
        self.attempts = 0
        self.rejected = 0

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """Send once; failures are remembered in `problem`, without the key or the body."""
        sent = {**self.headers, **(kwargs.pop("headers", None) or {})}
        kwargs["headers"] = dict.fromkeys(sent) | {
            **{name: value for name, value in sent.items() if name.lower() in _PROTOCOL_HEADERS},
            **self._own_headers,
        }
        kwargs["allow_redirects"] = False
        self.attempts += 1
        self.rejected = 0
        try:
            response = super().request(*args, **kwargs)
        except requests.RequestException as error:
            self.problem = _reason(error)
            if self.closing:
                raise UndeliveredError(self.problem) from None
            raise
        if response.status_code >= 300:
            self.problem = _answer(response)
            # Exporters take a redirect for success, but nobody has kept the spans.
            if self.closing or response.status_code < 400:
                raise UndeliveredError(self.problem)
        else:
            self._note_rejected(response.content)
        return response

    def _note_rejected(self, body: bytes) -> None:
        """Keep what a partial success says: how many spans were not taken, and why.

        Source: https://opentelemetry.io/docs/specs/otlp/#partial-success-1
        """
        try:
            partial = ExportTraceServiceResponse.FromString(body).partial_success
        except DecodeError:  # Not every backend answers with OTLP; it took the spans all the same.
            return
        self.rejected = partial.rejected_spans
        if self.rejected:
            self.problem = f"the collector rejected them: {partial.error_message[:200]}"

    def forget_connections(self) -> None:
        """Start with fresh connections: those of a parent process must not be shared."""
        self.mount("http://", HTTPAdapter())
        self.mount("https://", HTTPAdapter())


def _reason(error: requests.RequestException) -> str:
    if isinstance(error, requests.exceptions.SSLError):
        return "the TLS handshake failed"
    if isinstance(error, requests.Timeout):
        return "no answer in time"
    if "refused" in str(error):
        return "connection refused"
    return "no connection" if isinstance(error, requests.ConnectionError) else type(error).__name__


def _answer(response: requests.Response) -> str:
    hints = {
        401: ": the API key is missing or not valid",
        403: ": the API key may not send spans here",
        404: ": is this the collector's address?",
        413: ": the batch is too large",
    }
    return f"HTTP {response.status_code}{hints.get(response.status_code, '')}"
