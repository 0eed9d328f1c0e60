"""What a chain's run is to whoever reads the trace: an agent, a workflow, a step, or plumbing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any, Final

from agentguard import semconv
from agentguard.span_scope import SpanScope
from agentguard.spans import agent_span, task_span, workflow_span

__all__ = ["chain_scope", "graph_starts"]

graph_starts: ContextVar[bool] = ContextVar("agentguard-langgraph-starts", default=False)
"""Whether the chain that starts next in this thread or task is a whole graph."""

_AGENTS: Final = frozenset({"langchain_create_agent"})
"""What `create_agent` writes as `ls_integration` into the metadata of its graphs."""
_PLUMBING: Final = frozenset({"prompt", "parser"})


def chain_scope(
    name: str,
    *,
    is_root: bool,
    run_type: str | None,
    tags: Sequence[str],
    metadata: Mapping[str, Any],
) -> SpanScope | None:
    """The scope of a chain; None for prompts, parsers and what only holds others together."""
    if graph_starts.get():
        graph_starts.set(False)
        return _graph(name, metadata)
    if run_type in _PLUMBING or "langsmith:hidden" in tags:
        return None
    if name == "AgentExecutor":
        return agent_span(name, attributes=_conversation(metadata))
    if is_root:
        return workflow_span(name, attributes=_conversation(metadata))
    if _is_node(tags) or not name.startswith("Runnable"):
        return task_span(name)
    return None


def _graph(name: str, metadata: Mapping[str, Any]) -> SpanScope:
    if metadata.get("ls_integration") in _AGENTS:
        return agent_span(name, attributes=_conversation(metadata))
    return workflow_span(name, attributes=_conversation(metadata))


def _is_node(tags: Sequence[str]) -> bool:
    return any(tag.startswith("graph:step:") for tag in tags)


def _conversation(metadata: Mapping[str, Any]) -> dict[str, str]:
    """LangGraph's thread is what the conventions call a conversation."""
    thread = metadata.get("thread_id")
    return {} if thread is None else {semconv.CONVERSATION_ID: str(thread)}
