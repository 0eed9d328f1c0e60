"""A long answer, part by part, that ends when nobody takes it any more.

Once the first part has been sent there is no status to tell of a failure with: the stream then ends
without its last chunk, which every HTTP client takes for an error.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from typing import Final

import anyio
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from agentguard_collector.api.abandoning import Call, calling
from agentguard_collector.api.asking import Asked
from agentguard_collector.api.turns import Turns
from agentguard_collector.errors import RateLimited, Unavailable
from agentguard_storage.queries.errors import QueryError

__all__ = ["ExportStream", "Parts"]

logger = logging.getLogger(__name__)

# A client that takes nothing for so long will not come back.
_STALLED_S: Final = 60.0
_ENDS_WITHIN_S: Final = 5.0


class Parts:
    """The parts of an answer, made in threads, one for each that is asked for.

    `begin` is called in a thread as well.
    """

    def __init__(self, asking: Asked, begin: Callable[[], Iterator[bytes]]) -> None:
        self.asking = asking
        self._begin = begin
        self._found: Iterator[bytes] | None = None
        self._call = Call()
        self._within = contextvars.copy_context()
        self._within.run(calling.set, self._call)

    async def next(self) -> bytes | None:
        """Return the next part, None after the last.

        Raises QueryError, and RateLimited or Unavailable where no turn comes free in time.
        """
        async with self.asking.turn():
            work = asyncio.get_running_loop().run_in_executor(
                self.asking.context.threads, self._within.run, self._take
            )
            try:
                return await asyncio.shield(work)
            finally:
                if not work.done():
                    # The turn is only over when ClickHouse works no more.
                    self._call.abandon()
                    with anyio.move_on_after(_ENDS_WITHIN_S, shield=True):
                        await asyncio.wait({work})
                    if work.done() and not work.cancelled():
                        work.exception()

    def _take(self) -> bytes | None:
        if self._found is None:
            self._found = self._begin()
        return next(self._found, None)


class ExportStream(Response):
    """The answer; its first part is there before it begins, so that failures have a status."""

    def __init__(
        self, first: bytes | None, parts: Parts, turn: AsyncExitStack, headers: Mapping[str, str]
    ) -> None:
        super().__init__(headers=dict(headers))
        # What there will be is not known.
        del self.headers["content-length"]
        self._first = first
        self._parts = parts
        self._turn = turn

    @classmethod
    async def begin(cls, parts: Parts, turns: Turns, headers: Mapping[str, str]) -> ExportStream:
        """Wait for a turn and for the first part. Raises Refusal, QueryError."""
        async with AsyncExitStack() as stack:
            await stack.enter_async_context(turns.turn(parts.asking.who.key_id))
            first = await parts.next()
            return cls(first, parts, stack.pop_all(), headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the parts until they end, or the client hangs up."""
        async with self._turn, anyio.create_task_group() as tasks:
            tasks.start_soon(_until_gone, receive, tasks.cancel_scope)
            try:
                await self._send(send)
            except QueryError as error:
                logger.warning("an export was cut off: %s", error)
            except TimeoutError:
                logger.warning("an export was cut off: the client takes nothing")
            tasks.cancel_scope.cancel()

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": 200, "headers": self.raw_headers}
        await send(start)
        part = self._first
        while part is not None:
            with anyio.fail_after(_STALLED_S):
                await send({"type": "http.response.body", "body": part, "more_body": True})
            part = await self._following()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    async def _following(self) -> bytes | None:
        while True:
            try:
                return await self._parts.next()
            except (RateLimited, Unavailable) as busy:
                await anyio.sleep(busy.retry_after or 1)


async def _until_gone(receive: Receive, everything: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    everything.cancel()
