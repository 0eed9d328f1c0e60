"""`OutputGuard`: how long one answer may be."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import ClassVar

from agentguard.errors import ConfigurationError, OutputTooLarge, Refused
from agentguard.guards.arguments import kinds_of, whole_number
from agentguard.guards.call import Call, Kind
from agentguard.guards.guard import Guard, Mode, OnError
from agentguard.guards.verdict import Verdict

__all__ = ["OutputGuard"]


class OutputGuard(Guard):
    """Stops a run in which a model or a tool gives back too much at once.

        OutputGuard(max_chars=100_000, max_tokens=8_000)

    Tokens are those that the provider counted, for models alone. A streamed answer is cut when it
    reaches `max_chars`; anything else has arrived by the time that its length is known, and what
    follows is refused.

    Raises:
        ConfigurationError: neither limit is given, or one is below 1.
    """

    name: ClassVar[str] = "output"
    error: ClassVar[type[Refused]] = OutputTooLarge

    def __init__(
        self,
        max_chars: int | None = None,
        *,
        max_tokens: int | None = None,
        kinds: Collection[Kind] = ("llm", "tool"),
        mode: Mode = "enforce",
        on_error: OnError = "open",
    ) -> None:
        super().__init__(mode=mode, on_error=on_error)
        if max_chars is None and max_tokens is None:
            raise ConfigurationError(
                "OutputGuard() limits nothing: give max_chars, max_tokens or both."
            )
        for name, value in (("max_chars", max_chars), ("max_tokens", max_tokens)):
            if value is not None:
                whole_number(name, value, 1)
        self._max_chars = max_chars
        self._max_tokens = max_tokens
        self._kinds = kinds_of(kinds)

    def on_progress(self, call: Call) -> Verdict | None:
        """Cuts a streamed answer that is too long."""
        if call.kind in self._kinds and self._max_chars is not None:
            return self._too_long(call, call.streamed_chars, self._max_chars, "characters")
        return None

    def on_end(self, call: Call) -> Verdict | None:
        """Stops the run where the answer was too long."""
        if call.kind not in self._kinds or call.outcome == "refused":
            return None
        verdict = None
        if self._max_tokens is not None and call.usage is not None:
            tokens = call.usage.output + call.usage.reasoning
            verdict = self._too_long(call, tokens, self._max_tokens, "tokens")
        if verdict is None and self._max_chars is not None:
            chars = max(call.streamed_chars, _length(call.output))
            verdict = self._too_long(call, chars, self._max_chars, "characters")
        return verdict

    def _too_long(self, call: Call, length: int, limit: int, unit: str) -> Verdict | None:
        if length <= limit:
            return None
        reason = f"{call.name} gave back {length:,} {unit}, {limit:,} is the limit"
        return self.stop(reason, limit=limit, used=length, unit=unit)


def _length(output: object) -> int:
    if output is None:
        return 0
    if isinstance(output, str | bytes):
        return len(output)
    try:
        return len(json.dumps(output, default=str, ensure_ascii=False))
    except (TypeError, ValueError):
        return len(repr(output))
