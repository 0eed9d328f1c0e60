"""What LiteLLM gives back: the shapes of OpenAI, with counts of its own for what is cached."""

from __future__ import annotations

from typing import Any

from agentguard.boundary.answer import PiecesSoFar, note_answer
from agentguard.guards.call import Call
from agentguard.prices.model import Usage

__all__ = ["Answer", "Pieces"]


class Answer:
    """A whole answer: of a chat, of the Responses API, or vectors."""

    def __init__(self) -> None:
        self._said: Any = None

    def add(self, said: Any) -> int:
        """Take it in."""
        self._said = said
        return 0

    def tell(self, call: Call) -> None:
        """Write on the call what it tells."""
        if self._said is None:
            return
        model = call.model
        note_answer(call, self._said)
        call.model = _model(call.model, model)
        call.usage = _usage(getattr(self._said, "usage", None))


class Pieces:
    """An answer in pieces, put together on the call as far as it has arrived."""

    def __init__(self, call: Call | None) -> None:
        self._call = call
        self._so_far = PiecesSoFar(call) if call is not None else None
        self._hidden: Any = None

    def add(self, said: Any) -> int:
        """Take in one piece."""
        if self._so_far is None or self._call is None:
            return 0
        model, chars = self._call.model, self._call.streamed_chars
        self._so_far.add(said)
        self._call.model = _model(self._call.model, model)
        self._hidden = getattr(said, "_hidden_params", None) or self._hidden
        arrived = self._call.streamed_chars - chars
        # Whoever asked counts them.
        self._call.streamed_chars = chars
        return arrived

    def tell(self, call: Call) -> None:
        """Write on the call what there is; LiteLLM keeps the counts beside the last piece."""
        if self._so_far is not None:
            self._so_far.end()
        hidden = self._hidden.get("usage") if isinstance(self._hidden, dict) else None
        call.usage = _usage(hidden) or call.usage


def _model(answered: str | None, asked: str | None) -> str | None:
    """The model that answered; LiteLLM may put its provider before the name."""
    provider, slash, name = (answered or "").partition("/")
    return name if slash and asked is not None and not asked.startswith(provider) else answered


def _usage(said: Any) -> Usage | None:
    """The disjoint counts: LiteLLM counts what is read from and written to a cache as prompt."""
    if said is None or (not hasattr(said, "prompt_tokens") and not hasattr(said, "input_tokens")):
        return None
    sent = _count(said, "prompt_tokens") or _count(said, "input_tokens")
    answered = _count(said, "completion_tokens") or _count(said, "output_tokens")
    parts = getattr(said, "prompt_tokens_details", None) or getattr(
        said, "input_tokens_details", None
    )
    read = _count(parts, "cached_tokens") or _count(said, "cache_read_input_tokens")
    written = _count(parts, "cache_creation_tokens") or _count(said, "cache_creation_input_tokens")
    details = getattr(said, "completion_tokens_details", None) or getattr(
        said, "output_tokens_details", None
    )
    thought = min(_count(details, "reasoning_tokens"), answered)
    return Usage(
        input=max(0, sent - read - written),
        cache_read=read,
        cache_write=written,
        output=answered - thought,
        reasoning=thought,
    )


def _count(said: Any, name: str) -> int:
    found = getattr(said, name, None)
    return found if isinstance(found, int) and found > 0 else 0
