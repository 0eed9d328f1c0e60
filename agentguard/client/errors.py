"""What can go wrong between a program and the API.

ApiError                    (an AgentGuardError)
├── ConnectionFailed        no answer: nobody there, or not in time
├── CutOff                  an export ended before its end
├── BadRequest              400, 413, 415, 422: it cannot be asked like this
├── NotAuthenticated        401: no key, or none that is good
├── PermissionDenied        403: the key has not got the scope
├── NotFound                404: nothing of that name in the key's project
├── Conflict                409: an id was used before, for something else
├── RateLimited             429, also after having waited
└── ServerFailed            5xx, also after having waited
"""

# ruff: noqa: N818 - they say what became of a request

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from agentguard.errors import AgentGuardError

if TYPE_CHECKING:
    import httpx2

__all__ = [
    "ApiError",
    "BadRequest",
    "Conflict",
    "ConnectionFailed",
    "CutOff",
    "NotAuthenticated",
    "NotFound",
    "PermissionDenied",
    "RateLimited",
    "ServerFailed",
    "error_of",
]

_LONGEST: Final = 1_000


class ApiError(AgentGuardError):
    """A request to the API that failed; `str()` says what is wrong, and what to do.

    `status` is HTTP's, 0 where there was no answer; `code` is a word for programs. Of a filter that
    cannot be read, `column` says where (the first is 1) and `suggestion` what may have been meant.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int = 0,
        code: str = "",
        where: str | None = None,
        column: int | None = None,
        suggestion: str | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.where = where
        self.column = column
        self.suggestion = suggestion


class ConnectionFailed(ApiError):
    """The collector does not answer; later it may."""


class CutOff(ApiError):
    """The server ended a stream before its end; what came until then is not whole."""


class BadRequest(ApiError):
    """The request cannot be answered as it is."""


class NotAuthenticated(ApiError):
    """There was no API key, or it is not valid any more."""


class PermissionDenied(ApiError):
    """The key may not do this."""


class NotFound(ApiError):
    """There is no such thing in the key's project."""


class Conflict(ApiError):
    """An id was used before, for something else."""


class RateLimited(ApiError):
    """The key asks too often, or too much at once."""


class ServerFailed(ApiError):
    """The server, or the store behind it, cannot do this at the moment."""


_KINDS: Final[dict[int, type[ApiError]]] = {
    401: NotAuthenticated,
    403: PermissionDenied,
    404: NotFound,
    409: Conflict,
    429: RateLimited,
}


def error_of(response: httpx2.Response) -> ApiError:
    """Make an error of an answer, which says why as RFC 9457 has it, or does not."""
    status = response.status_code
    kind = _KINDS.get(status) or (ServerFailed if status >= 500 else BadRequest)
    problem = _problem(response)
    detail = problem.get("detail") or problem.get("message")
    if not isinstance(detail, str):
        detail = "no reason was given; is this the address of an AgentGuard collector?"
    return kind(
        f"HTTP {status}: {detail[:_LONGEST]}",
        status=status,
        code=_text(problem.get("code")) or "",
        where=_text(problem.get("where")),
        column=problem["column"] if isinstance(problem.get("column"), int) else None,
        suggestion=_text(problem.get("suggestion")),
    )


def _problem(response: httpx2.Response) -> dict[str, Any]:
    try:
        found = json.loads(response.content)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
