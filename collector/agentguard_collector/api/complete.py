"""Help with writing filters: /api/v1/complete."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Query
from pydantic import Field
from starlette.responses import Response

from agentguard_collector.api.asking import Asking
from agentguard_collector.api.parameters import NO_CONTROLS, When
from agentguard_collector.api.routing import api_router
from agentguard_collector.api.shapes import Shape
from agentguard_storage.filters import complete

__all__ = ["router"]


class CompletionOut(Shape):
    """What to write instead of the characters from `start` to `end`, counted from 0."""

    text: str
    kind: Literal["field", "value", "operator"]
    detail: str
    start: int
    end: int


class CompletionsOut(Shape):
    """What may come next, the likeliest first; at most 20."""

    completions: list[CompletionOut] = Field(
        examples=[[{"text": "kind:", "kind": "field", "detail": "", "start": 0, "end": 2}]]
    )


def router() -> APIRouter:
    """Completion of filters."""
    made = api_router("filters")

    @made.get("", response_model=CompletionsOut)
    async def complete_filter(
        asking: Asking,
        when: When,
        text: Annotated[
            str,
            Query(
                max_length=2_000,
                pattern=NO_CONTROLS,
                description="The filter as far as it is written; it need not parse.",
                examples=["model:gpt"],
            ),
        ] = "",
        position: Annotated[
            int | None,
            Query(ge=0, le=2_000, description="Where the cursor is; at the end, unless given."),
        ] = None,
    ) -> Response:
        """What may stand at a place in a filter: fields, operators, and values that were seen."""
        at = len(text) if position is None else position
        return await asking.json(
            lambda reader: CompletionsOut(
                completions=[
                    CompletionOut.model_validate(each) for each in complete(reader, when, text, at)
                ]
            )
        )

    return made
