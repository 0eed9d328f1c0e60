"""Whose turn it is in a workflow of several agents: a span for each, from handoff to handoff."""

from __future__ import annotations

from typing import Any

from opentelemetry.context import Context

from agentguard.runtime import runtime
from agentguard.spans import AgentSpan, agent_span
from agentguard_integrations.instrumentor import quietly
from agentguard_integrations.llamaindex.messages import text_of

__all__ = ["Turns"]


class Turns:
    """The turns of one run. Its steps belong to the agent that has one, or to the workflow."""

    def __init__(self, workflow: Any, context: Context) -> None:
        self._workflow = workflow
        self._outside = context
        self._name: str | None = None
        self._span: AgentSpan | None = None
        self._said: object = None
        self.context = context
        """That of the agent whose turn it is."""

    def take_in(self, event: Any) -> None:
        """A step begins that is given this. Raises `Refused` where the next agent may not begin."""
        name = getattr(event, "current_agent_name", None)
        if not isinstance(name, str):
            return
        if name != self._name:
            self.end()
            self._begin(name, event)
        response = getattr(event, "response", None)
        if response is not None:
            self._said = text_of(response)

    def end(self, error: BaseException | None = None) -> None:
        """Nobody has a turn now."""
        span, self._span, self._name = self._span, None, None
        self.context = self._outside
        if span is None:
            return
        with quietly("Ending the turn of an agent"):
            if error is None and self._said is not None:
                span.returned(self._said)
            span.close(error)
        self._said = None

    def _begin(self, name: str, event: Any) -> None:
        span: AgentSpan | None = None
        with quietly("Beginning the turn of an agent"):
            agent = self._workflow.agents.get(name)
            span = agent_span(name, description=getattr(agent, "description", None))
            self.context = span.within(self._outside).open()
        if span is None or self.context is self._outside:
            return
        self._name, self._span = name, span
        if runtime.capture_content:
            with quietly("Recording what an agent is asked"):
                messages = getattr(event, "input", None)
                span.record_input(text_of(messages[-1]) if messages else None)
