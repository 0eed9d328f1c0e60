"""A guard's arguments, checked. All of these raise `ConfigurationError`, saying what is allowed."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation

from agentguard.errors import ConfigurationError

__all__ = ["dollars", "read_callback", "read_warn_at", "whole"]


def whole(name: str, value: object) -> int | None:
    """A limit in calls or tokens. Raises ConfigurationError for what is no whole number."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ConfigurationError(
            f"{name}={value!r}: it is a whole number, 0 or more; None for no limit."
        )
    return value


def dollars(name: str, value: object) -> Decimal | None:
    """A limit in US dollars. Raises ConfigurationError for what is no number."""
    if value is None:
        return None
    if isinstance(value, int | float | Decimal) and not isinstance(value, bool):
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            amount = Decimal("NaN")
        if amount.is_finite() and amount >= 0 and math.isfinite(value):
            return amount
    raise ConfigurationError(
        f"{name}={value!r}: it is a number of US dollars, 0 or more; None for no limit."
    )


def read_warn_at(fraction: object) -> float | None:
    """Check `warn_at_pct`. Raises `ConfigurationError`."""
    if fraction is None:
        return None
    if isinstance(fraction, bool) or not isinstance(fraction, int | float) or not 0 < fraction <= 1:
        raise ConfigurationError(
            f"warn_at_pct={fraction!r}: it is a fraction of the limit, above 0 and at most 1, "
            "such as 0.8."
        )
    return float(fraction)


def read_callback(on_warning: object) -> None:
    """Check `on_warning`. Raises `ConfigurationError`."""
    if on_warning is not None and not callable(on_warning):
        raise ConfigurationError(
            f"on_warning={on_warning!r}: it has to be a function, which is given one sentence."
        )
