"""Messages as tools show them."""

from __future__ import annotations

from agentguard_mcp.tool import Result
from agentguard_storage.queries.messages import Message

__all__ = ["Said", "SaidPart", "said"]


class SaidPart(Result):
    """A part of a message; `cut_from` is how many characters it had before it was cut."""

    type: str
    text: str
    tool: str | None = None
    cut_from: int | None = None


class Said(Result):
    """One message."""

    role: str
    parts: list[SaidPart]


def said(message: Message) -> Said:
    """A message of the store."""
    return Said(
        role=message.role,
        parts=[
            SaidPart(
                type=part.type,
                text=part.text,
                tool=part.tool or None,
                cut_from=part.length if part.is_cut else None,
            )
            for part in message.parts
        ],
    )
