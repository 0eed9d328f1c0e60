"""The client for programs that wait."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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

__all__ = ["Client"]

P = ParamSpec("P")
T = TypeVar("T")
Row = TypeVar("Row")


class _Method(Generic[P, T]):
    """A method that sends a call and returns its answer."""

    def __init__(self, describe: Callable[P, Call[T]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    def __get__(self, client: Client, _: type[Client]) -> Callable[P, T]:
        @functools.wraps(self._describe)
        def send(*args: P.args, **kwargs: P.kwargs) -> T:
            return client.send(self._describe(*args, **kwargs))

        return send


class _Rows(Generic[P, Row]):
    """A method that yields the rows of page after page."""

    def __init__(self, describe: Callable[P, PageCall[Any, Row]]) -> None:
        self._describe = describe
        self.__doc__ = describe.__doc__

    def __get__(self, client: Client, _: type[Client]) -> Callable[P, Iterator[Row]]:
        @functools.wraps(self._describe)
        def rows(*args: P.args, **kwargs: P.kwargs) -> Iterator[Row]:
            return client.rows(self._describe(*args, **kwargs))

        return rows


class Client:
    """Asks the collector's API about the key's project.

        with agentguard.Client() as client:
            for trace in client.traces("trace.guard:loop", start="7d"):
                print(trace.trace_id, trace.total_cost)

    `endpoint` and `api_key` are those of the SDK's settings unless given; the key needs the scope
    `read`. `timeout` is in seconds, for each piece of an answer. A call that is refused for a while
    (429, 503) or gets no answer is sent again, `retries` times at most, and `longest_wait` seconds
    are waited for it in all. Methods raise `agentguard.client.ApiError`. Thread-safe.
    """

    def __init__(
        self,
        endpoint: str | None = None,
        api_key: str | None = None,
        *,
        timeout: float = 30.0,
        retries: int = 3,
        longest_wait: float = 60.0,
        transport: httpx2.BaseTransport | None = None,
    ) -> None:
        patience = Patience(retries, longest_wait)
        self._connection = Connection(endpoint, api_key, timeout, patience)
        self._http = httpx2.Client(**self._connection.options(), transport=transport)

    def __repr__(self) -> str:
        return f"Client({self._connection.base!r})"

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def send(self, call: Call[T]) -> T:
        """Send a call until there is an answer. Raises ApiError."""
        talk = conversation(call, self._connection.patience, self._connection.base)
        try:
            delay = next(talk)
            while True:
                if delay is None:
                    delay = talk.send(self._sent(call))
                else:
                    time.sleep(delay)
                    delay = talk.send(None)
        except StopIteration as end:
            answer: T = end.value
            return answer

    def rows(self, call: PageCall[Any, Row]) -> Iterator[Row]:
        """Yield the rows of all pages; each page is asked for when it is needed."""
        cursor: str | None = None
        while True:
            page = self.send(call.page(cursor))
            yield from call.rows(page)
            cursor = call.following(page)
            if cursor is None:
                return

    def _sent(self, call: Call[Any]) -> httpx2.Response | httpx2.TransportError:
        try:
            request = self._http.build_request(**self._connection.request(call))
            response = self._http.send(request, stream=call.streamed)
            if call.streamed and not response.is_success:
                response.read()
                response.close()
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

    @contextmanager
    def export_stream(
        self,
        format: ExportFormat = "ndjson",  # noqa: A002 - the parameter's name everywhere
        filter: str = "",  # noqa: A002
        *,
        start: Time = "24h",
        end: Time = "now",
    ) -> Iterator[Iterator[bytes]]:
        """The bytes of an export as they come; leaving the block ends it. Raises ApiError."""
        response = self.send(to_figures.export(format, filter, start=start, end=end))
        try:
            yield _parts(response)
        finally:
            response.close()

    def export(
        self,
        path: str | os.PathLike[str],
        format: ExportFormat = "ndjson",  # noqa: A002 - the parameter's name everywhere
        filter: str = "",  # noqa: A002
        *,
        start: Time = "24h",
        end: Time = "now",
    ) -> int:
        """Write all spans to a file, and return its size in bytes.

        The file is there once it is whole; one that was there before stays until then. Raises
        ApiError, OSError.
        """
        with (
            PartFile(path) as file,
            self.export_stream(format, filter, start=start, end=end) as parts,
        ):
            for part in parts:
                file.write(part)
        return file.size


def _parts(response: httpx2.Response) -> Iterator[bytes]:
    try:
        yield from response.iter_bytes()
    except (httpx2.TransportError, httpx2.DecodingError) as error:
        raise CutOff("the export ended before its end; ask again, or for less") from error
