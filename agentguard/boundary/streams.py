"""Answers that arrive in pieces: counted, cut when their run is stopped, settled when they end."""

from __future__ import annotations

import logging
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from functools import partial
from typing import Any, Self
from weakref import ReferenceType, ref

from agentguard.boundary.abandoned import be_ready, soon
from agentguard.boundary.answer import PiecesSoFar
from agentguard.boundary.flight import Flight
from agentguard.cancellation import CancelOnStop
from agentguard.errors import Refused
from agentguard.guards.call import Outcome
from agentguard.guards.verdict import Stop

__all__ = ["is_stream", "watch_stream"]

log = logging.getLogger("agentguard")


def is_stream(answer: Any) -> bool:
    """Whether it is a `Stream` or an `AsyncStream` of a client's."""
    return hasattr(answer, "_iterator") and hasattr(answer, "response")


def watch_stream(stream: Any, flight: Flight) -> None:
    """Watch the stream from the inside: its type, and all that it can do, stay as they are."""
    be_ready()
    pieces = stream._iterator
    # Not the stream itself is looked at: an instrumentor's around it may seem to be of both kinds.
    if hasattr(pieces, "__anext__"):
        waiting = _AsyncPieces(pieces, stream.response, flight)
        stream.close = partial(_close_async, ref(stream), waiting)
        stream._iterator = waiting
    else:
        reading = _Pieces(pieces, stream.response, flight)
        stream.close = partial(_close, ref(stream), reading)
        stream._iterator = reading


class _Watched:
    """What both kinds of iterators share. Ends its flight once: read, cut, failed or given up."""

    def __init__(self, response: Any, flight: Flight) -> None:
        self._response = response
        self._flight = flight
        self._so_far = PiecesSoFar(flight.call)
        self._is_over = False
        self._takes_back: list[Callable[[], None]] = []

    def __del__(self) -> None:
        if not self._is_over:
            soon(self.give_up)

    def _take_in(self, piece: Any) -> None:
        """Count the piece. Raises `Refused` where the answer ends here."""
        try:
            self._so_far.add(piece)
        except Exception:
            log.debug("A piece of an answer could not be read", exc_info=True)
        self._flight.proceed()

    def _end(self, outcome: Outcome, error: BaseException | None = None) -> None:
        if self._is_over:
            return
        self._is_over = True
        for take_back in self._takes_back:
            take_back()
        with suppress(Exception):
            self._so_far.end()
        self._flight.end(outcome, error)

    def give_up(self) -> None:
        """Nobody reads on."""
        self._end("abandoned")


class _Pieces(_Watched, Iterator[Any]):
    def __init__(self, pieces: Iterator[Any], response: Any, flight: Flight) -> None:
        super().__init__(response, flight)
        self._pieces = pieces
        # A thread that waits for a piece cannot be cancelled: its socket is closed under it.
        self._takes_back = [run.on_stop(partial(_cut, response)) for run in flight.call.run.chain]

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            piece = next(self._pieces)
        except StopIteration:
            # A connection that is cut under a stream looks like its end.
            reason = self._reason_for(EOFError("the stream was cut"))
            if reason is None:
                self._end("ok")
                raise
            self._end("cancelled", reason)
            raise reason from None
        except Exception as error:
            reason = self._reason_for(error)
            self._end("cancelled" if reason else "error", error)
            if reason is not None:
                raise reason from None
            raise
        except BaseException as error:
            self._end("cancelled", error)
            raise
        try:
            self._take_in(piece)
        except Refused as reason:
            self._end("cancelled", reason)
            with suppress(Exception):
                self._response.close()
            raise
        return piece

    def _reason_for(self, error: Exception) -> Refused | None:
        stop = self._flight.call.run.latched()
        if stop is None or not stop.cuts_streams:
            return None if isinstance(error, EOFError) else self._flight.reason_for(error)
        return stop.exception()


class _AsyncPieces(_Watched, AsyncIterator[Any]):
    def __init__(self, pieces: AsyncIterator[Any], response: Any, flight: Flight) -> None:
        super().__init__(response, flight)
        self._pieces = pieces

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        cancel = CancelOnStop(self._flight.call.run)
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            cancel.disarm(None)
            self._end("ok")
            raise
        except BaseException as error:
            reason = cancel.disarm(error) or self._flight.reason_for(error)
            failed = reason is None and isinstance(error, Exception)
            self._end("error" if failed else "cancelled", error)
            if reason is not None:
                raise reason from None
            raise
        cancel.disarm(None)
        try:
            self._take_in(piece)
        except Refused as reason:
            self._end("cancelled", reason)
            with suppress(Exception):
                await self._response.aclose()
            raise
        return piece


# By a weak reference, as a stream that nobody holds shall be gone at once, and not be a cycle.
def _close(stream: ReferenceType[Any], watched: _Watched) -> None:
    watched.give_up()
    held = stream()
    if held is not None:
        type(held).close(held)


async def _close_async(stream: ReferenceType[Any], watched: _Watched) -> None:
    watched.give_up()
    held = stream()
    if held is not None:
        await type(held).close(held)


def _cut(response: Any, stop: Stop) -> None:
    """End a read that another thread waits in."""
    if not stop.cuts_streams:
        return
    with suppress(Exception):
        network = response.extensions["network_stream"]
        network.get_extra_info("socket").shutdown(socket.SHUT_RDWR)
