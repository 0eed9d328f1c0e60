"""Where the API is, with which key it is asked, and what its calls are sent as."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any, Final

from agentguard.client.call import Call, Patience
from agentguard.config import load_settings
from agentguard.errors import ConfigurationError
from agentguard.reading import TRACES_PATH

__all__ = ["Connection"]

_PREFIX: Final = "/api/v1"
_CONNECT_S: Final = 5.0


class Connection:
    """What both clients know. The key is in its headers and nowhere else.

    `endpoint` and `api_key` come from the same settings as the SDK's, where they are not given.
    Raises ConfigurationError for one that cannot be used.
    """

    def __init__(
        self, endpoint: str | None, api_key: str | None, timeout: float, patience: Patience
    ) -> None:
        settings = load_settings({"endpoint": endpoint, "api_key": api_key})
        self.base = settings.endpoint.removesuffix(TRACES_PATH).rstrip("/")
        if "@" in self.base.partition("://")[2].partition("/")[0]:
            raise ConfigurationError("the endpoint holds a password; use api_key instead")
        self.patience = patience
        self.timeout = timeout
        self._headers = {
            "user-agent": f"agentguard-python/{version('agentguard')}",
            "accept-encoding": "gzip",
            **dict(settings.headers),
        }
        if settings.api_key is not None:
            self._headers["authorization"] = f"Bearer {settings.api_key}"

    def options(self) -> dict[str, Any]:
        """What an HTTP client is made with. Redirects would take the key elsewhere."""
        import httpx2

        return {
            "headers": self._headers,
            "timeout": httpx2.Timeout(self.timeout, connect=min(_CONNECT_S, self.timeout)),
            "follow_redirects": False,
        }

    def request(self, call: Call[Any]) -> dict[str, Any]:
        """What a request of a call is made with."""
        return {
            "method": call.method,
            "url": f"{self.base}{_PREFIX}{call.path}",
            "params": list(call.query),
            "json": call.body,
        }
