"""What a protocol module hands back to the HTTP server."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agentguard.demo.provider.conversation import Usage

__all__ = ["Reply", "pieces", "server_sent_event"]

_PIECE = 24


@dataclass(frozen=True, slots=True)
class Reply:
    """A JSON body, or `events` (encoded server-sent events) when the answer is streamed."""

    body: Mapping[str, Any] = field(default_factory=dict)
    events: Iterator[bytes] | None = None
    usage: Usage | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def server_sent_event(data: Mapping[str, Any], event: str = "") -> bytes:
    """One event as https://html.spec.whatwg.org/multipage/server-sent-events.html frames it."""
    head = f"event: {event}\n" if event else ""
    return f"{head}data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def pieces(text: str) -> Iterator[str]:
    """The text in the small pieces a model streams it in."""
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]
