"""Checks of what guards are made with: each says what is wrong, and what is allowed."""

from __future__ import annotations

from collections.abc import Collection
from typing import Final, get_args

from agentguard.errors import ConfigurationError
from agentguard.guards.call import Kind

__all__ = ["kinds_of", "whole_number"]

_KINDS: Final = get_args(Kind)


def whole_number(name: str, value: object, least: int) -> int:
    """The value. Raises ConfigurationError unless it is a whole number, and not below `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise ConfigurationError(f"{name}={value!r}: it is a whole number from {least} up.")
    return value


def kinds_of(kinds: Collection[Kind]) -> frozenset[Kind]:
    """The kinds of calls. Raises ConfigurationError for any that there is not."""
    is_list = isinstance(kinds, Collection) and not isinstance(kinds, str)
    if not is_list or not kinds or any(kind not in _KINDS for kind in kinds):
        raise ConfigurationError(f"kinds={kinds!r}: it is a list of some of {_KINDS}.")
    return frozenset(kinds)
