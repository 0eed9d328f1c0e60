"""Sessions: /api/v1/sessions."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Path
from pydantic import Field
from starlette.responses import Response

from agentguard_collector.api.asking import Asking
from agentguard_collector.api.etags import NOT_MODIFIED
from agentguard_collector.api.parameters import NO_CONTROLS, Cursor, Limit, When, Where
from agentguard_collector.api.routing import MISSING, api_router
from agentguard_collector.api.shapes import Exact, Moment, Shape, Tokens, Usd, exact, usd
from agentguard_collector.errors import NotFound
from agentguard_storage.queries import sessions
from agentguard_storage.queries.pages import Page
from agentguard_storage.queries.reader import Reader
from agentguard_storage.queries.sessions import SessionRow

__all__ = ["router"]

SessionId = Annotated[
    str,
    Path(
        min_length=1,
        max_length=1_024,
        pattern=NO_CONTROLS,
        description="As `session.id` or `gen_ai.conversation.id` had it.",
        examples=["s-1"],
    ),
]


class SessionOut(Shape):
    """A session: sums over those of its traces that began within the range."""

    session: str
    users: list[str]
    agents: list[str]
    models: list[str]
    services: list[str]
    started_at: Moment
    last_at: Moment
    trace_count: int
    event_count: int = Field(description="Its spans.")
    error_count: int
    stopped_traces: int = Field(description="Those that a guard stopped.")
    llm_calls: int
    tool_calls: int
    tokens: Tokens
    total_cost: Usd
    total_cost_exact: Exact
    unpriced_calls: int

    @classmethod
    def of(cls, row: SessionRow) -> SessionOut:
        """From what the store says."""
        return cls(
            session=row.session,
            users=row.users,
            agents=row.agents,
            models=row.models,
            services=row.services,
            started_at=row.started_at,
            last_at=row.last_at,
            trace_count=row.trace_count,
            event_count=row.span_count,
            error_count=row.error_count,
            stopped_traces=row.stopped_traces,
            llm_calls=row.llm_calls,
            tool_calls=row.tool_calls,
            tokens=Tokens.of(row),
            total_cost=usd(row.cost),
            total_cost_exact=exact(row.cost),
            unpriced_calls=row.unpriced_calls,
        )


class SessionsOut(Shape):
    """A page of sessions."""

    sessions: list[SessionOut]
    next_cursor: str | None = Field(description="Where the next page begins; null on the last.")

    @classmethod
    def of(cls, page: Page[SessionRow]) -> SessionsOut:
        """From what the store says."""
        return cls(sessions=[SessionOut.of(row) for row in page.rows], next_cursor=page.next_cursor)


def router() -> APIRouter:
    """Lists of sessions, and single ones."""
    made = api_router("sessions")

    @made.get("", response_model=SessionsOut, responses=NOT_MODIFIED)
    async def list_sessions(
        asking: Asking, when: When, where: Where, limit: Limit = 50, cursor: Cursor = None
    ) -> Response:
        """Sessions with a trace that began within the range and matches, the latest used first."""
        return await asking.cached(
            lambda reader: SessionsOut.of(
                sessions.list_sessions(reader, when, filter=where, limit=limit, cursor=cursor)
            )
        )

    # A session's id is whatever its sender called it, slashes too.
    @made.get("/{session:path}", response_model=SessionOut, responses=NOT_MODIFIED | MISSING)
    async def get_session(asking: Asking, session: SessionId, when: When) -> Response:
        """One session. Its traces are those with the filter `trace.session:"..."`."""

        def find(reader: Reader) -> SessionOut:
            found = sessions.get_session(reader, when, session)
            if found is None:
                raise NotFound("there is no such session within this range")
            return SessionOut.of(found)

        return await asking.cached(find)

    return made
