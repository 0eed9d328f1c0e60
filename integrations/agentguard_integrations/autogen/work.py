"""A piece of AutoGen's work inside its span: a coroutine, or an async generator step by step.

What leaves it is what stopped the run, where AutoGen made something else of that: a team raises a
`RuntimeError` with the text of it, an agent turns a tool that was refused into an answer.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Collection
from typing import Any

from opentelemetry.context import attach, create_key, detach, get_current, get_value, set_value

from agentguard.cancellation import CancelOnStop
from agentguard.errors import Refused, RunStopped
from agentguard.guards.place import current_place
from agentguard.span_scope import SpanScope
from agentguard_integrations.instrumentor import quietly

__all__ = ["Inside", "Work", "here", "note", "until_done"]

_KEY = create_key("agentguard-autogen")
_PATIENCE_S = 1.0


class Inside:
    """The agent, team or tool that is at work, and those around it."""

    __slots__ = ("of", "outer", "refused", "tasks")

    def __init__(self, of: object, outer: Inside | None) -> None:
        self.of = of
        self.outer = outer
        self.refused = False
        """Whether something inside was refused because its run was stopped."""
        self.tasks: set[asyncio.Task[Any]] = set()
        """The tasks in which an agent's tools run, while they do."""


def here() -> Inside | None:
    """What is at work in this task; None outside of AutoGen."""
    found = get_value(_KEY)
    return found if isinstance(found, Inside) else None


def note(error: BaseException, inside: Inside | None) -> None:
    """Remember that something inside was refused, as AutoGen and agents may swallow that."""
    if isinstance(error, RunStopped):
        while inside is not None:
            inside.refused = True
            inside = inside.outer


async def until_done(tasks: Collection[asyncio.Task[Any]]) -> None:
    """Wait for tasks that are about to end, though not for ever.

    The same stop may cancel whoever waits more than once: that is raised in the end.
    """
    again: asyncio.CancelledError | None = None
    ends = time.monotonic() + _PATIENCE_S
    while waiting := [task for task in tasks if not task.done()]:
        left = ends - time.monotonic()
        if left <= 0:
            break
        try:
            await asyncio.wait(waiting, timeout=left)
        except asyncio.CancelledError as cancelled:
            again = cancelled
    if again is not None:
        raise again


class Work:
    """One invocation of an agent, a team or a tool. `begin` first; raises `Refused`.

    A stop that cuts, such as a deadline, cancels it where it is `cut`: AutoGen waits for tools and
    people without end.
    """

    def __init__(self, of: object, scope: SpanScope, *, cut: bool = True) -> None:
        self.of = of
        self.scope = scope
        self._cut = cut
        self.said: object = None
        """What is to be recorded as its output."""

    def begin(self) -> None:
        """Open the span."""
        outer = here()
        try:
            context = self.scope.open()
        except Refused as refused:
            note(refused, outer)
            raise
        self.inside = Inside(self.of, outer)
        self.context = set_value(_KEY, self.inside, context)
        place = current_place(self.context)
        self._run = place.run if place is not None else None

    async def step(self, work: Callable[[], Awaitable[Any]]) -> Any:
        """Do the work, or a part of it, where the span is current."""
        token = attach(self.context)
        cancel = CancelOnStop(self._run) if self._cut and self._run is not None else None
        try:
            result = await work()
        except BaseException as error:
            reason = None if cancel is None else cancel.disarm(error)
            if isinstance(error, asyncio.CancelledError):
                await self._wait_for_tools()
            if reason is not None:
                note(reason, self.inside)
                raise reason from None
            raise
        else:
            if cancel is not None:
                cancel.disarm(None)
            return result
        finally:
            self.context = get_current()
            detach(token)

    async def _wait_for_tools(self) -> None:
        """Leave no task behind: those of tools are cancelled by what cancelled the agent."""
        if not self.inside.tasks or self._run is None or self._run.latched() is None:
            return
        await until_done(self.inside.tasks)
        # What gathers their results has yet to notice.
        for _ in range(3):
            await asyncio.sleep(0)

    async def run(self, work: Callable[[], Awaitable[Any]], say: Callable[[Any], object]) -> Any:
        """The whole of it; `say` gives what to record of the result."""
        try:
            result = await self.step(work)
            with quietly("recording a result"):
                self.said = say(result)
            self.check()
        except BaseException as error:
            raised = self.fail(error)
            if raised is error:
                raise
            raise raised from None
        self.finish()
        return result

    async def stream(
        self, items: AsyncGenerator[Any, None], look: Callable[[Any], None]
    ) -> AsyncGenerator[Any, None]:
        """The whole of it, item by item; `look` may keep what is to be recorded."""
        try:
            while True:
                try:
                    item = await self.step(items.__anext__)
                except StopAsyncIteration:
                    break
                try:
                    with quietly("looking at a message"):
                        look(item)
                    self.check()
                    yield item
                except BaseException:
                    await self.step(items.aclose)
                    raise
            self.check()
        except BaseException as error:
            raised = self.fail(error)
            if raised is error:
                raise
            raise raised from None
        self.finish()

    def check(self) -> None:
        """Raises `Refused` where something inside was refused and somebody swallowed that.

        What stopped no run but one inside is the business of whoever opened that.
        """
        stop = self._run.latched() if self.inside.refused and self._run is not None else None
        if stop is not None:
            raise stop.exception()

    def finish(self) -> None:
        """Close the span of what went well."""
        if self.said is not None:
            with quietly("recording a result"):
                self.scope.returned(self.said)
        self.scope.close()

    def fail(self, error: BaseException) -> BaseException:
        """Close the span; returns the exception that is to be raised."""
        note(error, self.inside.outer)
        error = self._reason_for(error) or error
        self.scope.close(error)
        return error

    def _reason_for(self, error: BaseException) -> Refused | None:
        stop = self._run.latched() if self._run is not None else None
        if stop is None or isinstance(error, Refused) or not _is_a_failure(error):
            return None
        return stop.exception()


def _is_a_failure(error: BaseException) -> bool:
    """Whether nobody outside asked for it: a team's own tasks are cancelled when it breaks down."""
    if isinstance(error, asyncio.CancelledError):
        task = asyncio.current_task()
        return task is not None and not task.cancelling()
    return isinstance(error, Exception)
