"""Links to single traces, for people without a key: /api/v1/shares."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Final

from fastapi import APIRouter, Depends, Path, Query
from pydantic import BaseModel, ConfigDict, Field
from starlette.requests import Request

from agentguard_collector.api.access import May
from agentguard_collector.api.asking import Asked
from agentguard_collector.api.context import context_of
from agentguard_collector.api.routing import api_router
from agentguard_collector.api.shapes import WHOLE
from agentguard_collector.auth import Principal
from agentguard_collector.errors import NotFound
from agentguard_storage.control import ControlPlane, Share, share_path
from agentguard_storage.control.shares import LASTS, LONGEST, SHORTEST
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.trace import find_trace_ids

__all__ = ["MayShare", "ShareIn", "ShareMade", "ShareOut", "SharesOut", "known_trace", "router"]

_TRACE: Final = r"^[0-9a-fA-F]{32}$"

MayShare = Annotated[Principal, Depends(May("shares"))]
ShareId = Annotated[
    str, Path(pattern=r"^shr_[0-9a-f]{12}$", description="Its id.", examples=["shr_0123456789ab"])
]


class ShareIn(BaseModel):
    """The trace to share, and for how long: a week, unless something else is said."""

    model_config = ConfigDict(extra="forbid")

    trace_id: str = Field(pattern=_TRACE, examples=["4bf92f3577b34da6a3ce929d0e0e4736"])
    expires_in_s: Annotated[
        int,
        Field(
            ge=int(SHORTEST.total_seconds()),
            le=int(LONGEST.total_seconds()),
            strict=True,
            description="Seconds until the link leads nowhere; at most 90 days.",
        ),
        WHOLE,
    ] = int(LASTS.total_seconds())


class ShareOut(BaseModel):
    """A link, without what makes it one: its token is told once, to whoever made it."""

    id: str
    trace_id: str
    created_by: str = Field(description="The id of the key that made it.")
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None

    @classmethod
    def of(cls, share: Share) -> ShareOut:
        """From what the control plane says."""
        return cls.model_validate(share, from_attributes=True)


class ShareMade(ShareOut):
    """A new link. It cannot be had again: keep the address, or make another."""

    token: str
    url: str = Field(description="Whoever has this address sees the trace until it expires.")


class SharesOut(BaseModel):
    """The links that are good now, the newest first."""

    data: list[ShareOut]


def known_trace(reader: Reader, trace_id: str) -> None:
    """Check that the project has spans of this trace. Raises NotFound."""
    if not find_trace_ids(reader, trace_id.lower(), 1):
        raise NotFound(
            f"there is no trace {trace_id.lower()} in this project; spans of a run that goes on "
            "arrive a few seconds after they end"
        )


def router(control: ControlPlane) -> APIRouter:
    """Making links, listing and revoking them."""
    made = api_router("shares")

    @made.post("", status_code=201, responses={404: {}})
    async def create_share(request: Request, given: ShareIn, who: MayShare) -> ShareMade:
        """Share a trace of the project with whoever has the link."""
        asked = Asked(request, context_of(request), who)
        return await asked.run(lambda reader: _made(control, request, reader, given, who))

    @made.get("")
    def list_shares(
        who: MayShare,
        trace_id: Annotated[
            str | None, Query(pattern=_TRACE, description="Only the links to this trace.")
        ] = None,
    ) -> SharesOut:
        """The links that are good now; there are at most 1,000."""
        found = control.shares.list(who.project_id, trace_id)
        return SharesOut(data=[ShareOut.of(each) for each in found])

    @made.delete("/{share_id}")
    def revoke_share(share_id: ShareId, who: MayShare) -> ShareOut:
        """End a link now; it leads nowhere from then on."""
        return ShareOut.of(control.shares.revoke(who.project_id, share_id))

    return made


def _made(
    control: ControlPlane, request: Request, reader: Reader, given: ShareIn, who: Principal
) -> ShareMade:
    known_trace(reader, given.trace_id)
    share, token = control.shares.create(
        who.project_id,
        given.trace_id,
        expires_in=timedelta(seconds=given.expires_in_s),
        by=who.key_id,
    )
    url = str(request.base_url).rstrip("/") + share_path(token)
    return ShareMade(**ShareOut.of(share).model_dump(), token=token, url=url)
