"""Answers without what is another each time, whoever else is there: ids drawn, times of making."""

from __future__ import annotations

import re
from typing import Any, Final

__all__ = ["steady"]

_MADE_UP: Final = re.compile(r"\b(stp|shr|ann|mcp)_[0-9a-f]{12,}\b|(?<=untrusted)-[0-9a-f]{16}\b")
_AT_RANDOM: Final = frozenset(
    ("token", "url", "created_at", "updated_at", "expires_at", "revoked_at", "lifted_at", "cursor")
)
"""What is drawn or timed when something is made."""
_PASSING: Final = frozenset(
    (
        "expires_in", "expires_in_s", "resets_in", "resets_in_s", "runs_out_at", "runs_out_in_s",
        "reason", "advice", "etag",
    )
)  # fmt: skip
"""What goes on with the clock between two questions."""
_RATES: Final = frozenset(("burn_per_hour", "burn", "rate"))
"""Compared by their first two digits: they go on with the clock as well, and slowly."""


def steady(answer: Any, *, rough: bool = False) -> Any:
    """What of an answer two servers with the same data have to agree on."""
    match answer:
        case dict():
            return {
                key: steady(value, rough=rough or key in _RATES)
                for key, value in answer.items()
                if key not in _AT_RANDOM | _PASSING
            }
        case list() | tuple():
            return [steady(each, rough=rough) for each in answer]
        case str():
            return _MADE_UP.sub(r"\1_", answer)
        case float() if rough:
            return f"{answer:.2g}"
    return answer
