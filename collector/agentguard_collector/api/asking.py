"""How a handler asks ClickHouse: in a thread, in its turn, and only while somebody listens.

    async def list_things(asking: Asking, when: When) -> Response:
        return await asking.json(lambda reader: ThingsOut.of(list_things(reader, when)))

What the function returns is made into JSON in the thread as well: a large answer holds up nobody.
"""

from __future__ import annotations

import asyncio
import contextvars
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends
from pydantic import BaseModel
from pydantic_core import to_json
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from agentguard_collector.api.abandoning import Call, calling
from agentguard_collector.api.access import Read
from agentguard_collector.api.context import ApiContext, context_of
from agentguard_collector.api.etags import has_it
from agentguard_collector.auth import Principal
from agentguard_storage.queries.reader import Reader

__all__ = ["Asked", "Asking"]

T = TypeVar("T")
Answer = BaseModel | dict[str, Any]
"""What is answered: a model, or its members where there may be too many to check each of them."""
_ENDS_WITHIN_S: Final = 5.0


class Asked:
    """One request that asks ClickHouse, and whose it is."""

    def __init__(self, request: Request, context: ApiContext, who: Principal) -> None:
        self.request = request
        self.context = context
        self.who = who

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Hold one of the turns. Raises RateLimited, Unavailable."""
        async with self.context.turns.turn(self.who.key_id):
            yield

    def reader(self) -> Reader:
        """A reader of the caller's project; to be called in a thread."""
        return self.context.readers.reader(self.who.project_id)

    async def run(self, question: Callable[[Reader], T]) -> T:
        """Return what `question` finds, in a turn and in a thread.

        Raises what it raises; ClientDisconnect once nobody waits for the answer.
        """
        return await self.do(lambda: question(self.reader()))

    async def do(self, work: Callable[[], T]) -> T:
        """The same, for what can do without ClickHouse."""
        call = Call()
        within = contextvars.copy_context()
        within.run(calling.set, call)
        async with self.turn():
            done = asyncio.get_running_loop().run_in_executor(
                self.context.threads, within.run, work
            )
            gone = asyncio.create_task(self._gone())
            try:
                await asyncio.wait((done, gone), return_when=asyncio.FIRST_COMPLETED)
                if not done.done():
                    raise ClientDisconnect
                return await done
            finally:
                gone.cancel()
                if not done.done():
                    # The turn is only over when ClickHouse works no more.
                    call.abandon()
                    await asyncio.wait({done}, timeout=_ENDS_WITHIN_S)
                await asyncio.wait({gone})
                if done.done() and not done.cancelled():
                    done.exception()

    async def json(self, question: Callable[[Reader], Answer]) -> Response:
        """Answer with what `question` finds."""
        return await self.answer(lambda: question(self.reader()))

    async def answer(self, work: Callable[[], Answer]) -> Response:
        """Answer with what `work` returns, which may do without ClickHouse."""
        body = await self.do(lambda: _encoded(work()))
        return Response(body, media_type="application/json")

    async def cached(self, question: Callable[[Reader], Answer]) -> Response:
        """Answer with what `question` finds, with an ETag; 304 where the caller has it already."""

        def work() -> tuple[bytes, str]:
            body = _encoded(question(self.reader()))
            return body, f'"{hashlib.blake2b(body, digest_size=12).hexdigest()}"'

        body, etag = await self.do(work)
        headers = {"ETag": etag, "Cache-Control": "private, no-cache"}
        if has_it(self.request, etag):
            return Response(status_code=304, headers=headers)
        return Response(body, media_type="application/json", headers=headers)

    async def _gone(self) -> None:
        while (await self.request.receive())["type"] != "http.disconnect":
            pass


def _encoded(answer: Answer) -> bytes:
    if isinstance(answer, BaseModel):
        return answer.model_dump_json().encode()
    # Attributes are whatever their sender sent: bytes become base64url, as pydantic writes them.
    return to_json(answer, bytes_mode="base64", inf_nan_mode="strings")


async def _asked(request: Request, who: Read) -> Asked:
    return Asked(request, context_of(request), who)


Asking = Annotated[Asked, Depends(_asked)]
