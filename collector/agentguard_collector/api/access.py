"""Who may ask the API for what: parameters of its handlers that stand for a key's scope.

A handler with a parameter `who: Read` is only called for keys that may read. What is checked is
`routing.ApiRoute`'s business, before anything of the request is read.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends
from starlette.requests import Request

from agentguard_collector.api.rates import Policy
from agentguard_collector.api.refusals import MissingScope
from agentguard_collector.auth import Principal, authenticate
from agentguard_collector.errors import Forbidden
from agentguard_storage.control import ControlPlane

__all__ = ["Admin", "Ingest", "May", "MayBudget", "MaySpend", "MayStop", "Read", "verified"]


class May:
    """Stands for a key that has one of the scopes; `admin` has them all.

    `policy` is the rate that its requests count for.
    """

    def __init__(self, *scopes: str, policy: Policy = "control") -> None:
        self.scopes = scopes
        self.policy: Policy = policy

    async def __call__(self, request: Request) -> Principal:
        """Return whose request it is, as was found out before."""
        found: Principal = request.state.principal
        return found


async def verified(control: ControlPlane, request: Request, may: May) -> Principal:
    """Return who sends a request. Raises Unauthenticated, Forbidden or Unavailable."""
    key = request.headers.get("authorization") or request.headers.get("x-api-key")
    try:
        return await authenticate(control.verifier, key, *may.scopes)
    except Forbidden as refusal:
        raise MissingScope(refusal.message, may.scopes[0]) from None


Ingest = Annotated[Principal, Depends(May("ingest"))]
Read = Annotated[Principal, Depends(May("read", policy="read"))]
MayBudget = Annotated[Principal, Depends(May("budgets"))]
MaySpend = Annotated[Principal, Depends(May("ingest", "budgets"))]
MayStop = Annotated[Principal, Depends(May("stops"))]
Admin = Annotated[Principal, Depends(May("admin"))]
