"""One call to a model through a client whose edge nobody else guards, whole or streamed."""

from __future__ import annotations

import logging
import time
from asyncio import CancelledError
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, Protocol, TypeVar

from opentelemetry.context import attach, detach

from agentguard.cancellation import CancelOnStop
from agentguard.errors import Refused
from agentguard.guards.call import Call
from agentguard.guards.enforcement import deadline_of, proceed
from agentguard.guards.place import current_place
from agentguard.span_scope import SpanScope

__all__ = ["ModelCall", "Reader", "is_inside_model_call", "time_left"]

log = logging.getLogger("agentguard")

T = TypeVar("T")


def is_inside_model_call() -> bool:
    """Whether a model call is under way here, of which another request is only a part."""
    place = current_place()
    call = place.call if place is not None else None
    return call is not None and call.is_model_call and call.outcome == "open"


def time_left() -> float | None:
    """Seconds until the deadline of the run of the call under way here; None where there is none.

    At least a millisecond.
    """
    place = current_place()
    return None if place is None else _time_left(place.call)


def _time_left(call: Call | None) -> float | None:
    ends = None if call is None else deadline_of(call.run)
    return None if ends is None else max(0.001, ends - time.monotonic())


class Reader(Protocol):
    """Reads one answer, in the client's own shapes."""

    def add(self, said: Any) -> int:
        """Take in the answer, or a piece of it; how many characters it said."""
        ...

    def tell(self, call: Call) -> None:
        """Write on the call what there is."""
        ...


class ModelCall:
    """The call, begun. Raises `Refused` where a guard objects.

    What fails in a stopped run leaves with the reason of the stop.
    """

    def __init__(self, scope: SpanScope, reader: Callable[[Call | None], Reader]) -> None:
        self._scope = scope
        self._is_over = False
        self._context = scope.open()
        self._call = scope.call
        if self._call is not None:
            self._call.is_told = scope.given is not None
        self._reader = reader(self._call)

    @property
    def time_left(self) -> float | None:
        """Seconds until the run's deadline; None where it has none."""
        return _time_left(self._call)

    def run(self, work: Callable[[], T]) -> T:
        """Make the call, and read the whole answer."""
        return self.answered(self.send(work))

    async def run_async(self, work: Callable[[], Awaitable[T]]) -> T:
        """The same for a coroutine, which is cancelled at the deadline of its run."""
        return self.answered(await self.send_async(work))

    def send(self, work: Callable[[], T]) -> T:
        """Make the call; `answered`, or the end of a stream, ends it."""
        try:
            return self._step(work)
        except BaseException as error:
            self._fail(error)
            raise

    async def send_async(self, work: Callable[[], Awaitable[T]]) -> T:
        """The same for a coroutine."""
        try:
            return await self._step_async(work)
        except BaseException as error:
            self._fail(error)
            raise

    def answered(self, answer: T) -> T:
        """The whole answer is there."""
        self._take_in(answer)
        self._end()
        return answer

    def stream(self, pieces: Iterator[T]) -> Iterator[T]:
        """The pieces, each looked at; the call ends with them, or when nobody reads on."""
        try:
            while True:
                try:
                    piece = self.next(lambda: next(pieces))
                except StopIteration:
                    return
                yield piece
        finally:
            self.give_up()

    async def stream_async(self, pieces: AsyncIterator[T]) -> AsyncIterator[T]:
        """The same for pieces that are waited for."""
        try:
            while True:
                try:
                    piece = await self.next_async(lambda: anext(pieces))
                except StopAsyncIteration:
                    return
                yield piece
        finally:
            self.give_up()

    def next(self, work: Callable[[], T]) -> T:
        """The next piece. Raises `StopIteration` after the last, and `Refused` where it is cut."""
        try:
            piece = self._step(work)
            self._arrived(piece)
        except StopIteration:
            self._end()
            raise
        except BaseException as error:
            self._fail(error)
            raise
        return piece

    async def next_async(self, work: Callable[[], Awaitable[T]]) -> T:
        """The same, waited for; raises `StopAsyncIteration` after the last."""
        try:
            piece = await self._step_async(work)
            self._arrived(piece)
        except StopAsyncIteration:
            self._end()
            raise
        except BaseException as error:
            self._fail(error)
            raise
        return piece

    def give_up(self) -> None:
        """Nobody reads on. Does nothing to a call that is over."""
        self._end()

    def _end(self, error: BaseException | None = None) -> None:
        if self._is_over:
            return
        self._is_over = True
        # What the client's own edge has read, where there is one, is more exact.
        call = self._call
        if call is not None and not call.attempts:
            try:
                self._reader.tell(call)
            except Exception:
                log.debug("An answer could not be read", exc_info=True)
        self._scope.close(error)

    def _take_in(self, answer: Any) -> int:
        if self._call is not None and not self._call.attempts:
            try:
                return self._reader.add(answer)
            except Exception:
                log.debug("An answer could not be read", exc_info=True)
        return 0

    def _step(self, work: Callable[[], T]) -> T:
        token = attach(self._context)
        try:
            return work()
        finally:
            detach(token)

    async def _step_async(self, work: Callable[[], Awaitable[T]]) -> T:
        token = attach(self._context)
        cancel = None if self._call is None else CancelOnStop(self._call.run)
        try:
            answer = await work()
        except BaseException as error:
            reason = None if cancel is None else cancel.disarm(error)
            if reason is not None:
                raise reason from None
            raise
        else:
            if cancel is not None:
                cancel.disarm(None)
            return answer
        finally:
            detach(token)

    def _arrived(self, piece: Any) -> None:
        call = self._call
        if call is None or call.attempts:
            return
        if call.first_chunk is None:
            call.first_chunk = time.monotonic()
        call.streamed_chars += self._take_in(piece)
        proceed(call)

    def _fail(self, error: BaseException) -> None:
        """Close the span. Raises the reason where the call failed because its run was stopped."""
        reason = self._reason_for(error)
        self._end(reason or error)
        if reason is not None:
            raise reason from None

    def _reason_for(self, error: BaseException) -> Refused | None:
        if self._call is None or isinstance(error, Refused | CancelledError | GeneratorExit):
            return None
        stop = self._call.run.latched()
        return stop.exception() if stop is not None and isinstance(error, Exception) else None
