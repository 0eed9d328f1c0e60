"""The span of one call of a tool, however CrewAI makes it."""

from __future__ import annotations

from contextvars import ContextVar, Token
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

from opentelemetry.context import Context, attach, detach

from agentguard.errors import Refused, RunStopped
from agentguard.runtime import runtime
from agentguard.spans import ToolSpan, tool_span
from agentguard_integrations.crewai.names import tool_description, tool_name
from agentguard_integrations.crewai.stopping import abort
from agentguard_integrations.instrumentor import quietly

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Execution", "call_id", "model_here"]

call_id: ContextVar[str | None] = ContextVar("agentguard-crewai-call-id", default=None)
"""The id that the model gave the call which is about to be made."""

model_here: ContextVar[Any] = ContextVar("agentguard-crewai-model", default=None)
"""The model that is being called, and its span where it has one here."""


class Execution:
    """A context manager around each attempt of the call; `end` it after the last one.

    Guards are asked once. A stop leaves as what CrewAI does not tell the model about.
    """

    __slots__ = ("_arguments", "_context", "_leave", "_refused", "_scope", "error")

    def __init__(self, tool: Any, arguments: Any) -> None:
        self._arguments = arguments
        self._context: Context | None = None
        self._refused: Exception | None = None
        self._leave: list[Callable[[], object]] = []
        self.error: BaseException | None = None
        self._scope: ToolSpan = tool_span(
            tool_name(tool), call_id=call_id.get(), description=tool_description(tool)
        )
        self._scope.given = lambda: arguments

    def __enter__(self) -> Self:
        if self._refused is not None:
            raise self._refused
        if self._context is None:
            self._context = self._begin()
        context_token = attach(self._context)
        id_token: Token[str | None] = call_id.set(None)
        model_token: Token[Any] = model_here.set(None)
        self._leave = [
            lambda: model_here.reset(model_token),
            lambda: call_id.reset(id_token),
            lambda: detach(context_token),
        ]
        return self

    def told(self, result: Any) -> Any:
        """Tell what came back. A tool may say by its result that it failed."""
        with quietly("recording a result"):
            self._scope.returned(result)
            if type(result).__name__ == "ToolFailure":
                self._scope.record_failure(str(result.message), str(result.reason.value))
        return result

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for step in self._leave:
            step()
        self.error = error

    def end(self) -> None:
        """No attempt follows. Does nothing where none was let begin."""
        if self._context is not None:
            self._scope.close(self.error)

    def _begin(self) -> Context:
        try:
            context = self._scope.open()
        except Refused as refused:
            ends = isinstance(refused, RunStopped) and refused.stop is not None
            self._refused = abort(refused.stop) if ends and refused.stop else refused
            raise self._refused from None
        if runtime.capture_content:
            with quietly("recording arguments"):
                self._scope.record_input(self._arguments)
        return context
