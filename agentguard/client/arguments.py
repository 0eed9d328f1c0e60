"""What callers give, as the API takes it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar
from urllib.parse import quote

from agentguard.budgets.spend import pico_dollars

if TYPE_CHECKING:
    import httpx2

__all__ = ["Dollars", "Time", "amount", "names", "nothing", "path", "query", "reading"]

Time: TypeAlias = datetime | str
"""An aware datetime, ISO 8601 with a zone, or how long ago: `90s`, `15m`, `24h`, `7d`, `4w`."""
Dollars: TypeAlias = Decimal | float

T = TypeVar("T")


def query(**given: Any) -> tuple[tuple[str, str], ...]:
    """The parameters of a URL; those that are None are left out, lists are given item by item.

    Raises ValueError for a datetime without a zone.
    """
    return tuple(
        (name, _text(name, item))
        for name, value in given.items()
        if value is not None
        for item in (value if isinstance(value, list | tuple) else (value,))
    )


def _text(name: str, value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{name} needs a time zone, as in datetime.now(UTC)")
        return value.isoformat()
    return str(value)


def path(*parts: str) -> str:
    """A path below the API's own, with whatever ids are made of."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def amount(
    usd: Dollars | None = None, tokens: int | None = None, calls: int | None = None
) -> dict[str, int]:
    """Dollars, tokens and calls as budgets count them; what is None is left out."""
    pico = None if usd is None else pico_dollars(usd)
    given = {"pico_usd": pico, "tokens": tokens, "calls": calls}
    return {name: value for name, value in given.items() if value is not None}


def reading(kind: type[T]) -> Callable[[httpx2.Response], T]:
    """A function that makes such an answer of a response."""
    from pydantic import TypeAdapter

    adapter = TypeAdapter(kind)
    return lambda response: adapter.validate_json(response.content)


def nothing(_: httpx2.Response) -> None:
    """What is read of an answer without a body."""


def names(given: str | Iterable[str] | None) -> list[str] | None:
    """One name, or several."""
    if given is None:
        return None
    return [given] if isinstance(given, str) else list(given)
