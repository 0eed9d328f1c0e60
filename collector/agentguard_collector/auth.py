"""Who is sending, in the collector's terms."""

from __future__ import annotations

import asyncio
from typing import Protocol

from agentguard_collector.errors import Forbidden, Unauthenticated, Unavailable
from agentguard_storage.control import Principal
from agentguard_storage.control.errors import ControlPlaneUnavailable, KeyRefused, MissingScope

__all__ = ["Principal", "Verifier", "authenticate"]


class Verifier(Protocol):
    """What `agentguard_storage.control.KeyVerifier` does; see there for the errors."""

    def cached(self, authorization: str | None, *scopes: str) -> Principal | None:
        """Answer from memory, or None when the database has to be asked."""

    def verify(self, authorization: str | None, *scopes: str) -> Principal:
        """Answer, from the database if need be."""


async def authenticate(verifier: Verifier, authorization: str | None, *scopes: str) -> Principal:
    """Return who presents this key, if it has one of `scopes`.

    Raises Unauthenticated, Forbidden, Unavailable.
    """
    try:
        known = verifier.cached(authorization, *scopes)
        if known is not None:
            return known
        return await asyncio.to_thread(verifier.verify, authorization, *scopes)
    except MissingScope as error:
        raise Forbidden(str(error)) from None
    except KeyRefused as error:
        raise Unauthenticated(str(error)) from None
    except ControlPlaneUnavailable:
        raise Unavailable(
            "API keys cannot be verified at the moment", reason="control_plane", retry_after=2
        ) from None
