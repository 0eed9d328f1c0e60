"""Who may ask ClickHouse at the same time: a few per key, and a few more in all."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from agentguard_collector.errors import RateLimited, Unavailable

__all__ = ["Turns"]

_RETRY_AFTER_S = 2.0


@dataclass(slots=True)
class _OfKey:
    """A key's own turns, and how many requests have them or wait for them."""

    turns: asyncio.Semaphore
    users: int = 0


class Turns:
    """Lets `in_all` questions be asked at once, `per_key` of them by one key.

    The others wait for at most `wait_s` seconds, so that the engine stays responsive and ingest
    is not starved.
    """

    def __init__(self, in_all: int, per_key: int, wait_s: float) -> None:
        self._in_all = asyncio.Semaphore(in_all)
        self._per_key = per_key
        self._wait_s = wait_s
        self._keys: dict[str, _OfKey] = {}

    @asynccontextmanager
    async def turn(self, key_id: str) -> AsyncIterator[None]:
        """Hold a turn. Raises RateLimited or Unavailable where none comes free in time."""
        mine = self._keys.setdefault(key_id, _OfKey(asyncio.Semaphore(self._per_key)))
        mine.users += 1
        try:
            await self._wait(
                mine.turns,
                RateLimited(
                    f"this key asks {self._per_key} questions at once already; ask one after "
                    "the other",
                    retry_after=_RETRY_AFTER_S,
                ),
            )
            try:
                await self._wait(
                    self._in_all,
                    Unavailable(
                        "too many questions are being asked at this moment; ask again",
                        reason="busy",
                        retry_after=_RETRY_AFTER_S,
                    ),
                )
                try:
                    yield
                finally:
                    self._in_all.release()
            finally:
                mine.turns.release()
        finally:
            mine.users -= 1
            if not mine.users:
                self._keys.pop(key_id, None)

    async def _wait(self, turns: asyncio.Semaphore, refusal: Exception) -> None:
        try:
            async with asyncio.timeout(self._wait_s):
                await turns.acquire()
        except TimeoutError:
            raise refusal from None
