"""A request to the API as a value, and how it is sent until there is an answer.

Nothing here touches the network: `conversation` says what to send and how long to wait, and the
two clients do that, each in its way.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final, Generic, TypeVar

import httpx2

from agentguard.client.errors import ConnectionFailed, error_of

__all__ = ["Call", "PageCall", "Patience", "conversation"]

T = TypeVar("T")
Row = TypeVar("Row")

# 502 and 504 are what proxies say while a collector starts anew.
_LATER: Final = frozenset({429, 502, 503, 504})
_FIRST_DELAY_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """What to send, and how to read the answer.

    `repeatable` calls may be sent again where it is not known what became of them; of a
    `streamed` one, `read` is given the answer before its body has come.
    """

    method: str
    path: str
    read: Callable[[httpx2.Response], T]
    query: tuple[tuple[str, str], ...] = ()
    body: Any = None
    repeatable: bool = True
    streamed: bool = False


@dataclass(frozen=True, slots=True)
class PageCall(Generic[T, Row]):
    """A call whose answer is one page of many; `rows` and `following` look into a page."""

    first: Call[T]
    rows: Callable[[T], list[Row]]
    following: Callable[[T], str | None]

    def page(self, cursor: str | None) -> Call[T]:
        """The call for the page that begins at a cursor."""
        if cursor is None:
            return self.first
        return replace(self.first, query=(*self.first.query, ("cursor", cursor)))


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a call is sent again, and the seconds that may be waited for it in all."""

    retries: int = 3
    longest_wait: float = 60.0


Answer = httpx2.Response | httpx2.TransportError


def conversation(
    call: Call[T], patience: Patience, base: str
) -> Generator[float | None, Answer | None, T]:
    """Yield None where the call is to be sent, and seconds where they are to be waited.

    Takes the answer to the first, None after the second. Raises ApiError.
    """
    waited = 0.0
    for turn in range(patience.retries + 1):
        answer = yield None
        assert answer is not None  # noqa: S101 - the protocol
        error = _wrong(answer, base)
        if error is None:
            assert isinstance(answer, httpx2.Response)  # noqa: S101 - or there were an error
            return call.read(answer)
        delay = _delay(answer, turn, repeatable=call.repeatable)
        if delay is None or turn == patience.retries or waited + delay > patience.longest_wait:
            raise error from None
        waited += delay
        yield delay
    raise AssertionError("the last turn returns or raises")


def _wrong(answer: Answer, base: str) -> Exception | None:
    if isinstance(answer, httpx2.Response):
        return None if answer.is_success else error_of(answer)
    late = isinstance(answer, httpx2.TimeoutException)
    why = "no answer in time" if late else "no connection"
    return ConnectionFailed(f"the collector at {base} does not answer: {why}")


def _delay(answer: Answer, turn: int, *, repeatable: bool) -> float | None:
    """The seconds to wait before the call is sent again; None where that is of no use."""
    # Half of it by chance, so that those who were refused together do not come back together.
    backoff = _FIRST_DELAY_S * 2**turn * (0.5 + random.random() / 2)  # noqa: S311 - no secret
    if not isinstance(answer, httpx2.Response):
        unsent = isinstance(answer, httpx2.ConnectError | httpx2.ConnectTimeout)
        return backoff if repeatable or unsent else None
    if answer.status_code not in _LATER:
        return None
    asked = _retry_after(answer.headers.get("retry-after", ""))
    return backoff if asked is None else max(asked, 0.0)


def _retry_after(text: str) -> float | None:
    """Seconds, as RFC 9110, section 10.2.3, has them: a number, or a date."""
    if text.strip().isdigit():
        return float(text)
    try:
        return (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds()
    except (TypeError, ValueError):
        return None
