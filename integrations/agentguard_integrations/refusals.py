"""Finding a guard's refusal in what a library made of it."""

from __future__ import annotations

from agentguard.errors import Refused

__all__ = ["refusal_in"]


def refusal_in(error: BaseException) -> Refused | None:
    """The refusal that the error is, or that it was raised from; None where there is none."""
    seen: set[int] = set()
    found: BaseException | None = error
    while found is not None and id(found) not in seen:
        if isinstance(found, Refused):
            return found
        seen.add(id(found))
        found = found.__cause__ or found.__context__
    return None
