"""What an engine gives back, some of which is still to come when it returns.

Then its span stays open, and what is done for the rest of the answer is part of it.
"""

from __future__ import annotations

import threading
from asyncio import Task
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Final

from opentelemetry.context import Context

from agentguard.cancellation import CancelOnStop
from agentguard.runtime import runtime
from agentguard.span_scope import SpanScope
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.llamaindex.streams import AsyncPieces, Pieces
from agentguard_integrations.patches import Patches

__all__ = ["EngineWork", "patch_chat_responses"]

_WAITS: Final = "_agentguard_waits"
_WRITTEN: Final = "_agentguard_written"
_lock = threading.Lock()


class EngineWork:
    """All that an engine does for one answer."""

    def __init__(self, scope: SpanScope, context: Context) -> None:
        self.context = context
        self._scope = scope
        self._pieces: list[str] = []
        self._is_over = False

    def cancel_on_stop(self) -> CancelOnStop | None:
        """Its models see to that."""

    def take(self, piece: Any) -> None:
        """A piece of the answer arrived."""
        if runtime.capture_content and isinstance(piece, str):
            self._pieces.append(piece)

    def end(self, response: Any = None, error: BaseException | None = None) -> None:
        """It is over."""
        if self._is_over:
            return
        self._is_over = True
        with quietly("Ending the span of an engine"):
            if self._pieces and error is None:
                self._scope.returned("".join(self._pieces))
            self._scope.close(error)

    def answered(self, response: Any, said: object) -> None:
        """The engine returned: it is over when the last of its answer has arrived."""
        is_to_come = False
        with quietly("Following an answer"):
            is_to_come = self._follow(response)
        if is_to_come:
            return
        with quietly("Recording an answer"):
            if said is not None:
                self._scope.returned(said)
        self.end()

    def _follow(self, response: Any) -> bool:
        fields = getattr(response, "__dict__", {})
        task = fields.get("awrite_response_to_history_task")
        if isinstance(task, Task):
            task.add_done_callback(self._task_done)
            return True
        if fields.get("chat_stream") is not None and fields.get("is_writing_to_memory"):
            return self._await_writer(fields)
        for name in ("response_gen", "chat_stream", "achat_stream"):
            pieces = fields.get(name)
            if isinstance(pieces, AsyncIterator):
                setattr(response, name, AsyncPieces(pieces, self))
                return True
            if isinstance(pieces, Iterator):
                setattr(response, name, Pieces(pieces, self))
                return True
        return False

    def _task_done(self, task: Task[Any]) -> None:
        self.end(error=None if task.cancelled() else task.exception())

    def _await_writer(self, fields: dict[str, Any]) -> bool:
        """A thread reads the answer, and may have come to its end already."""
        with _lock:
            if _WRITTEN in fields:
                return False
            fields[_WAITS] = self
            return True


def patch_chat_responses(patches: Patches) -> Callable[[Any], None]:
    """What wraps the method that such a thread runs; takes the module of chat engines' types."""

    def patch(module: Any) -> None:
        response = module.StreamingAgentChatResponse
        patches.wrap(response, "write_response_to_history", _write)

    return patch


def _write(
    wrapped: Callable[..., Any], response: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    error: BaseException | None = None
    try:
        return wrapped(*args, **kwargs)
    except BaseException as problem:
        error = problem
        raise
    finally:
        with _lock:
            vars(response)[_WRITTEN] = True
            waits: EngineWork | None = vars(response).pop(_WAITS, None)
        if waits is not None:
            waits.end(error=error)
