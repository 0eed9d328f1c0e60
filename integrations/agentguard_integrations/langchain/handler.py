"""The callback handler: LangChain's events, as spans and questions to guards."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from agentguard import semconv
from agentguard.runtime import runtime
from agentguard.spans import retrieval_span, task_span, tool_span
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.langchain.kinds import chain_scope
from agentguard_integrations.langchain.models import ModelSpan, model_scope, record_sent
from agentguard_integrations.langchain.retrieval import documents_found, enter, source_of

if TYPE_CHECKING:
    from uuid import UUID

    from agentguard_integrations.langchain.runs import Runs

__all__ = ["Tracing"]


class Tracing:
    """The methods of a `BaseCallbackHandler`, which a subclass has as its other base.

    They run in the thread or task of whoever starts a run, and what a guard refuses is raised
    there. Nothing else is.
    """

    run_inline = True
    raise_error = True

    def __init__(self, runs: Runs) -> None:
        self._runs = runs

    def __copy__(self) -> Tracing:
        return self

    def __deepcopy__(self, memo: object) -> Tracing:
        return self

    def on_chain_start(
        self,
        serialized: Mapping[str, Any] | None,
        inputs: Any,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        tags: Sequence[str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        name: str | None = None,
        run_type: str | None = None,
        **_: Any,
    ) -> None:
        """A chain, a graph, or a node of one begins."""
        with quietly("Tracing a chain"):
            scope = chain_scope(
                name or (serialized or {}).get("name") or "chain",
                is_root=self._runs.get(parent_run_id) is None,
                run_type=run_type,
                tags=tags or (),
                metadata=metadata or {},
            )
            self._runs.begin(run_id, parent_run_id, scope)
            if scope is not None and runtime.capture_content:
                scope.record_input(_latest(inputs))

    def on_chain_end(self, outputs: Any, *, run_id: UUID, inputs: Any = None, **_: Any) -> None:
        """It ended; where its input came in pieces, that is known now."""
        with quietly("Ending a chain's span"):
            run = self._runs.get(run_id)
            if run is not None and run.scope is not None and runtime.capture_content:
                if inputs is not None:
                    run.scope.record_input(_latest(inputs))
                run.scope.record_output(_latest(outputs))
            self._runs.end(run_id)

    def on_chain_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """It failed."""
        self._failed(run_id, error)

    def on_chat_model_start(
        self,
        serialized: Mapping[str, Any] | None,
        messages: Sequence[Sequence[Any]],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        invocation_params: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """A chat model is called."""
        sent = messages[0] if messages else ()
        self._call_model(serialized, sent, run_id, parent_run_id, metadata, invocation_params)

    def on_llm_start(
        self,
        serialized: Mapping[str, Any] | None,
        prompts: Sequence[str],
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        invocation_params: Mapping[str, Any] | None = None,
        **_: Any,
    ) -> None:
        """A model that completes a text is called."""
        sent = prompts[0] if prompts else ""
        self._call_model(serialized, sent, run_id, parent_run_id, metadata, invocation_params)

    def on_llm_new_token(self, token: Any, *, run_id: UUID, **_: Any) -> None:
        """A piece of an answer arrived."""
        with quietly("Counting a piece of an answer"):
            run = self._runs.get(run_id)
            if run is not None and isinstance(run.scope, ModelSpan):
                run.scope.arrived(token if isinstance(token, str) else "")

    def on_stream_event(self, event: Any, *, run_id: UUID, **_: Any) -> None:
        """A piece of an answer arrived, in the form of LangChain's streaming protocol."""
        self.on_llm_new_token("", run_id=run_id)

    def on_llm_end(self, response: Any, *, run_id: UUID, **_: Any) -> None:
        """A model answered."""
        with quietly("Ending a model's span"):
            run = self._runs.get(run_id)
            if run is not None and isinstance(run.scope, ModelSpan):
                with quietly("Reading an answer"):
                    run.scope.answered(response)
            self._runs.end(run_id)

    def on_llm_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """A model call failed."""
        self._failed(run_id, error)

    def on_tool_start(
        self,
        serialized: Mapping[str, Any] | None,
        input_str: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        inputs: Mapping[str, Any] | None = None,
        tool_call_id: str | None = None,
        name: str | None = None,
        **_: Any,
    ) -> None:
        """A tool is called."""
        with quietly("Tracing a tool"):
            said = serialized or {}
            scope = tool_span(
                said.get("name") or name or "tool",
                call_id=tool_call_id,
                description=said.get("description") or None,
            )
            arguments = input_str if inputs is None else inputs
            scope.given = lambda: arguments
            self._runs.begin(run_id, parent_run_id, scope)
            if runtime.capture_content:
                scope.record_input(arguments)

    def on_tool_end(self, output: Any, *, run_id: UUID, **_: Any) -> None:
        """It gave back a `ToolMessage`, a `Command`, or what the tool itself returned."""
        with quietly("Ending a tool's span"):
            run = self._runs.get(run_id)
            error: BaseException | None = None
            if run is not None and run.scope is not None:
                run.scope.returned(getattr(output, "content", output))
                if getattr(output, "status", None) == "error":
                    from langchain_core.tools import ToolException

                    error = ToolException(str(output.content))
                target = _handed_to(output)
                if target is not None:
                    attributes = {semconv.OPERATION_NAME: "handoff", semconv.AGENT_NAME: target}
                    handoff = task_span(f"handoff to {target}", attributes=attributes)
                    handoff.within(run.context).open()
                    handoff.close()
            self._runs.end(run_id, error)

    def on_tool_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """It failed."""
        self._failed(run_id, error)

    def on_retriever_start(
        self,
        serialized: Mapping[str, Any] | None,
        query: str,
        *,
        run_id: UUID,
        parent_run_id: UUID | None = None,
        metadata: Mapping[str, Any] | None = None,
        name: str | None = None,
        **_: Any,
    ) -> None:
        """A search begins."""
        with quietly("Tracing a search"):
            scope = retrieval_span(
                source_of(name or (serialized or {}).get("name"), metadata or {})
            )
            run = self._runs.begin(run_id, parent_run_id, scope)
            if runtime.capture_content:
                scope.record_input(query)
            enter(run.context)

    def on_retriever_end(self, documents: Sequence[Any], *, run_id: UUID, **_: Any) -> None:
        """It found something."""
        with quietly("Ending a search's span"):
            run = self._runs.get(run_id)
            if run is not None and run.scope is not None:
                run.scope.returned(documents_found(documents))
            self._runs.end(run_id)

    def on_retriever_error(self, error: BaseException, *, run_id: UUID, **_: Any) -> None:
        """It failed."""
        self._failed(run_id, error)

    def _call_model(
        self,
        serialized: Mapping[str, Any] | None,
        sent: Any,
        run_id: UUID,
        parent_run_id: UUID | None,
        metadata: Mapping[str, Any] | None,
        parameters: Mapping[str, Any] | None,
    ) -> None:
        with quietly("Tracing a model call"):
            said = parameters or {}
            scope = model_scope(serialized, sent, metadata=metadata or {}, parameters=said)
            self._runs.begin(run_id, parent_run_id, scope)
            scope.started()
            record_sent(scope, sent, said)

    def _failed(self, run_id: UUID, error: BaseException) -> None:
        with quietly("Ending a span that failed"):
            # An interrupt, or a command to the graph around, is no failure.
            is_signal = any(each.__name__ == "GraphBubbleUp" for each in type(error).__mro__)
            self._runs.end(run_id, None if is_signal else error)


def _latest(state: Any) -> object:
    """What was said last, where there are messages; the whole of it elsewhere."""
    if isinstance(state, list) and len(state) == 1:
        (state,) = state
    state = getattr(state, "update", None) or state if hasattr(state, "goto") else state
    messages = state.get("messages") if isinstance(state, Mapping) else None
    if isinstance(messages, list) and messages:
        latest = messages[-1]
        if isinstance(latest, tuple) and len(latest) == 2:
            return latest[1]
        if isinstance(latest, Mapping):
            return latest.get("content", latest)
        return _said(latest)
    return _said(state)


def _said(message: Any) -> object:
    """The words of a message, or the tools that it asks for."""
    content = getattr(message, "content", message)
    return content or getattr(message, "tool_calls", None) or content


def _handed_to(output: Any) -> str | None:
    """The node of the graph around that a tool hands over to, by LangGraph's `Command`."""
    if getattr(output, "graph", None) != "__parent__":
        return None
    target = getattr(output, "goto", None)
    return target if isinstance(target, str) and target else None
