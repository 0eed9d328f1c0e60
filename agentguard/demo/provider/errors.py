"""A refusal in the shape OpenAI's API gives it."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

__all__ = ["ProtocolError"]

_TYPES = {
    HTTPStatus.UNAUTHORIZED: "invalid_request_error",
    HTTPStatus.TOO_MANY_REQUESTS: "requests",
}


class ProtocolError(Exception):
    """Anything the provider answers with other than 200.

    The body follows https://platform.openai.com/docs/guides/error-codes.
    """

    def __init__(
        self,
        status: HTTPStatus,
        message: str,
        *,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code
        self.param = param
        self.headers = dict(headers or {})

    def body(self) -> dict[str, Any]:
        """The JSON body of the error response."""
        kind = _TYPES.get(self.status, "invalid_request_error")
        error = {"message": self.message, "type": kind, "param": self.param, "code": self.code}
        return {"error": error}
