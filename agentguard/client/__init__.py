"""A typed client of the collector's API: what was recorded, what it cost, what may be spent.

    with agentguard.Client() as client:
        print(client.check_budget("team").advice)

`agentguard.client.models` has the answers.
"""

from agentguard.client.asynchronous import AsyncClient
from agentguard.client.errors import (
    ApiError,
    BadRequest,
    Conflict,
    ConnectionFailed,
    CutOff,
    NotAuthenticated,
    NotFound,
    PermissionDenied,
    RateLimited,
    ServerFailed,
)
from agentguard.client.sync import Client

__all__ = [
    "ApiError",
    "AsyncClient",
    "BadRequest",
    "Client",
    "Conflict",
    "ConnectionFailed",
    "CutOff",
    "NotAuthenticated",
    "NotFound",
    "PermissionDenied",
    "RateLimited",
    "ServerFailed",
]
