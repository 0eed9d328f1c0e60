"""Refusals that only the API has; the others are in `agentguard_collector.errors`."""

from __future__ import annotations

from agentguard_collector.errors import BadData, Forbidden, UnsupportedMedia

__all__ = ["MissingScope", "NotJson", "Unprocessable"]


class Unprocessable(BadData):
    """Well-formed, and not possible all the same."""

    http_status = 422
    default_reason = "invalid_value"


class MissingScope(Forbidden):
    """A good key without the scope; `scope` is one that would do."""

    def __init__(self, message: str, scope: str) -> None:
        super().__init__(message, reason="missing_scope")
        self.scope = scope


class NotJson(UnsupportedMedia):
    """A body of another type than `accepted`."""

    accepted = "application/json"

    def __init__(self) -> None:
        super().__init__(f"bodies are sent as {self.accepted} here")
