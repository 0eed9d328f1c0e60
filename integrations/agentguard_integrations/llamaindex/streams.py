"""Answers in pieces: each is fetched where the work is done, and the last one ends it."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterator
from contextlib import suppress
from typing import Any, Protocol

from opentelemetry.context import Context, attach, detach, get_current

from agentguard.boundary.abandoned import be_ready, soon
from agentguard.cancellation import CancelOnStop
from agentguard.errors import Refused

__all__ = ["AsyncPieces", "Pieces", "Work"]


class Work(Protocol):
    """What the pieces are of: a model's call, or all that an engine does."""

    context: Context

    def cancel_on_stop(self) -> CancelOnStop | None:
        """What cancels a wait for a piece in time; None where others do that."""

    def take(self, piece: Any) -> None:
        """A piece arrived. Raises `Refused` where the answer ends here."""

    def end(self, response: Any = None, error: BaseException | None = None) -> None:
        """The last piece, if any, and what ended them if it was an error; more than once."""


class Pieces(Generator[Any, Any, None]):
    """A generator around another, which LlamaIndex takes for one itself.

    A client sends its request when the first piece is asked for, by whoever does, in any thread.
    """

    def __init__(self, pieces: Iterator[Any], work: Work) -> None:
        be_ready()
        self._pieces = pieces
        self._work = work
        self._context = work.context
        self._last: Any = None
        self._is_over = False

    def send(self, value: Any) -> Any:
        """The next piece."""
        piece = self._fetch(lambda: next(self._pieces))
        try:
            self._work.take(piece)
        except Refused as reason:
            self._end(reason)
            with suppress(Exception):
                self._close_pieces()
            raise
        self._last = piece
        return piece

    def throw(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:
        """Raise that where the generator is."""
        error = value if value is not None else kind
        error = error() if isinstance(error, type) else error
        thrown = getattr(self._pieces, "throw", None)
        if thrown is None:
            self._end(error)
            raise error
        return self._fetch(lambda: thrown(error))

    def close(self) -> None:
        """Nobody reads on."""
        if self._is_over:
            return
        try:
            self._close_pieces()
        finally:
            self._end(GeneratorExit())

    def __del__(self) -> None:
        if not self._is_over:
            soon(self.close)

    def _fetch(self, step: Any) -> Any:
        token = attach(self._context)
        try:
            return step()
        except StopIteration:
            self._end(None)
            raise
        except BaseException as error:
            self._end(error)
            raise
        finally:
            self._context = get_current()
            detach(token)

    def _close_pieces(self) -> None:
        close = getattr(self._pieces, "close", None)
        if close is not None:
            close()

    def _end(self, error: BaseException | None) -> None:
        self._is_over = True
        self._work.end(self._last, error)


class AsyncPieces(AsyncGenerator[Any, Any]):
    """The same, awaited. A wait for a piece is cut short where the run is stopped."""

    def __init__(self, pieces: AsyncIterator[Any], work: Work) -> None:
        be_ready()
        self._pieces = pieces
        self._work = work
        self._last: Any = None
        self._is_over = False

    async def asend(self, value: Any) -> Any:
        """The next piece."""
        piece = await self._fetch(self._pieces.__anext__)
        try:
            self._work.take(piece)
        except Refused as reason:
            self._end(reason)
            with suppress(Exception):
                await self._close_pieces()
            raise
        self._last = piece
        return piece

    async def athrow(self, kind: Any, value: Any = None, traceback: Any = None) -> Any:
        """Raise that where the generator is."""
        error = value if value is not None else kind
        error = error() if isinstance(error, type) else error
        thrown = getattr(self._pieces, "athrow", None)
        if thrown is None:
            self._end(error)
            raise error
        return await self._fetch(lambda: thrown(error))

    async def aclose(self) -> None:
        """Nobody reads on."""
        if self._is_over:
            return
        try:
            await self._close_pieces()
        finally:
            self._end(GeneratorExit())

    def __del__(self) -> None:
        if not self._is_over:
            soon(self._give_up)

    def _give_up(self) -> None:
        self._end(GeneratorExit())

    async def _fetch(self, step: Any) -> Any:
        token = attach(self._work.context)
        cancel = self._work.cancel_on_stop()
        try:
            piece = await step()
        except StopAsyncIteration:
            if cancel is not None:
                cancel.disarm(None)
            self._end(None)
            raise
        except BaseException as error:
            reason = cancel.disarm(error) if cancel is not None else None
            self._end(reason or error)
            if reason is not None:
                raise reason from None
            raise
        finally:
            detach(token)
        if cancel is not None:
            cancel.disarm(None)
        return piece

    async def _close_pieces(self) -> None:
        close = getattr(self._pieces, "aclose", None)
        if close is not None:
            await close()

    def _end(self, error: BaseException | None) -> None:
        self._is_over = True
        self._work.end(self._last, error)
