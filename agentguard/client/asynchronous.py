"""The client for programs on an event loop."""

from __future__ import annotations

import asyncio
import functools
import os
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from types import TracebackType
from typing import Any, Generic, ParamSpec, TypeVar

import httpx2

from agentguard.client.arguments import Time
from agentguard.client.call import Call, PageCall, Patience, conversation
from agentguard.client.calls import control as to_control
from agentguard.client.calls import figures as to_figures
from agentguard.client.calls import traces as to_traces
from agentguard.client.calls.figures import ExportFormat
from agentguard.client.connection import Connection
from agentguard.client.errors import CutOff
from agentguard.client.part_file import PartFile

__all__ = ["AsyncClient"]

P = ParamSpec("P")
T = TypeVar("T")
Row = TypeVar("Row")


class _Method(Generic[P, T]):
    """A coroutine method that sends a call and returns its answer."""

    def __init__(self, describe: Callable[P, Call[T]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    def __get__(
        self, client: AsyncClient, _: type[AsyncClient]
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        @functools.wraps(self._describe)
        async def send(*args: P.args, **kwargs: P.kwargs) -> T:
            return await client.send(self._describe(*args, **kwargs))

        return send


class _Rows(Generic[P, Row]):
    """A method that yields the rows of page after page."""

    def __init__(self, describe: Callable[P, PageCall[Any, Row]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    def __get__(self, client: AsyncClient, _: type[AsyncClient]) -> Callable[P, AsyncIterator[Row]]:
        @functools.wraps(self._describe)
        def rows(*args: P.args, **kwargs: P.kwargs) -> AsyncIterator[Row]:
            return client.rows(self._describe(*args, **kwargs))

        return rows


class AsyncClient:
    """`Client` for an event loop: the same methods, to be awaited, or iterated with `async for`.

    async with agentguard.AsyncClient() as client:
        async for trace in client.traces("status:error"):
            print(trace.trace_id)
    """

    def __init__(
        self,
        endpoint: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 3,
        longest_wait: float = 60.0,
        transport: httpx2.AsyncBaseTransport | None = None,
    ) -> None:
        patience = Patience(retries, longest_wait)
        self._connection = Connection(endpoint, api_key, timeout, patience)
        self._http = httpx2.AsyncClient(**self._connection.options(), transport=transport)

    def __repr__(self) -> str:
        return f"AsyncClient({self._connection.base!r})"

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def send(self, call: Call[T]) -> T:
        """Send a call until there is an answer. Raises ApiError."""
        talk = conversation(call, self._connection.patience, self._connection.base)
        try:
            delay = next(talk)
            while True:
                if delay is None:
                    delay = talk.send(await self._sent(call))
                else:
                    await asyncio.sleep(delay)
                    delay = talk.send(None)
        except StopIteration as end:
            answer: T = end.value
            return answer

    async def rows(self, call: PageCall[Any, Row]) -> AsyncIterator[Row]:
        """Yield the rows of all pages; each page is asked for when it is needed."""
        cursor: str | None = None
        while True:
            page = await self.send(call.page(cursor))
            for row in call.rows(page):
                yield row
            cursor = call.following(page)
            if cursor is None:
                return

    async def _sent(self, call: Call[Any]) -> httpx2.Response | httpx2.TransportError:
        try:
            request = self._http.build_request(**self._connection.request(call))
            response = await self._http.send(request, stream=call.streamed)
            if call.streamed and not response.is_success:
                await response.aread()
                await response.aclose()
        except httpx2.TransportError as error:
            return error
        return response

    traces = _Rows(to_traces.traces)
    trace = _Method(to_traces.trace)
    trace_graph = _Method(to_traces.trace_graph)
    explain_stop = _Method(to_traces.explain_stop)
    compare_traces = _Method(to_traces.compare_traces)
    span = _Method(to_traces.span)
    spans = _Rows(to_traces.spans)
    session = _Method(to_traces.session)
    sessions = _Rows(to_traces.sessions)
    alerts = _Rows(to_traces.alerts)
    usage = _Method(to_figures.usage)
    costs = _Method(to_figures.costs)
    metrics = _Method(to_figures.metrics)
    complete = _Method(to_figures.complete)
    budgets = _Method(to_control.budgets)
    budget = _Method(to_control.budget)
    set_budget = _Method(to_control.set_budget)
    delete_budget = _Method(to_control.delete_budget)
    reset_budget = _Method(to_control.reset_budget)
    check_budget = _Method(to_control.check_budget)
    reserve = _Method(to_control.reserve)
    settle = _Method(to_control.settle)
    release = _Method(to_control.release)
    stops = _Method(to_control.stops)
    stop = _Method(to_control.stop)
    lift_stop = _Method(to_control.lift_stop)
    prices = _Method(to_control.prices)
    share_trace = _Method(to_control.share_trace)
    shares = _Method(to_control.shares)
    revoke_share = _Method(to_control.revoke_share)
    annotate = _Method(to_control.annotate)
    annotations = _Method(to_control.annotations)
    delete_annotation = _Method(to_control.delete_annotation)

    @asynccontextmanager
    async def export_stream(
        self,
        format: ExportFormat = "ndjson",  # noqa: A002 - the parameter's name everywhere
        filter: str = "",  # noqa: A002
        *,
        start: Time = "24h",
        end: Time = "now",
    ) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes of an export as they come; leaving the block ends it. Raises ApiError."""
        response = await self.send(to_figures.export(format, filter, start=start, end=end))
        try:
            yield _parts(response)
        finally:
            await response.aclose()

    async def export(
        self,
        path: str | os.PathLike[str],
        format: ExportFormat = "ndjson",  # noqa: A002 - the parameter's name everywhere
        filter: str = "",  # noqa: A002
        *,
        start: Time = "24h",
        end: Time = "now",
    ) -> int:
        """Write all spans to a file, and return its size in bytes; as `Client.export` does it."""
        # Writing to a page cache takes no longer than what else is done with a part.
        with PartFile(path) as file:
            async with self.export_stream(format, filter, start=start, end=end) as parts:
                async for part in parts:
                    file.write(part)
        return file.size


async def _parts(response: httpx2.Response) -> AsyncIterator[bytes]:
    try:
        async for part in response.aiter_bytes():
            yield part
    except (httpx2.TransportError, httpx2.DecodingError) as error:
        raise CutOff("the export ended before its end; ask again, or for less") from error
