"""What several answers have."""

from __future__ import annotations

from agentguard.client.models.base import Model

__all__ = [
    "Tokens",
]


class Tokens(Model):
    """Disjoint counts: cached and reasoning tokens are in their own alone."""

    input: int
    cache_read: int
    cache_write: int
    output: int
    reasoning: int
    total: int
