"""What CrewAI's objects are called on spans. Nothing here raises."""

from __future__ import annotations

import re
from typing import Any

from agentguard.spans import AgentSpan, TaskSpan, WorkflowSpan, agent_span, task_span, workflow_span

__all__ = ["agent_scope", "crew_scope", "flow_scope", "task_scope", "tool_description", "tool_name"]


def crew_scope(crew: Any, ending: str = "") -> WorkflowSpan:
    """The span of one run of the crew."""
    return workflow_span(_text(crew, "name", "crew") + ending)


def flow_scope(flow: Any) -> WorkflowSpan:
    """The span of one run of the flow."""
    return workflow_span(_text(flow, "name", type(flow).__name__))


def agent_scope(agent: Any) -> AgentSpan:
    """The span of an agent at work: its role is its name, its goal the description."""
    return agent_span(
        _text(agent, "role", type(agent).__name__),
        id=_text(agent, "id") or None,
        description=_text(agent, "goal") or None,
    )


def task_scope(task: Any, agent: Any) -> TaskSpan:
    """The span of a task. Its description is content, so a task without a name has its agent's."""
    return task_span(
        _text(task, "name") or _text(agent or getattr(task, "agent", None), "role", "task")
    )


def tool_name(tool: Any) -> str:
    """The tool's name as the model knows it, as `crewai.utilities.string_utils` makes it."""
    name = _text(tool, "name", "tool")
    try:
        from crewai.utilities.string_utils import (  # type: ignore[import-not-found]
            sanitize_tool_name,
        )

        return str(sanitize_tool_name(name))
    except Exception:  # noqa: BLE001 - another version's
        return re.sub(r"\W+", "_", name).strip("_").lower()


def tool_description(tool: Any) -> str | None:
    """What the tool is for, in its author's words."""
    return _text(tool, "description") or None


def _text(owner: Any, attribute: str, otherwise: str = "") -> str:
    try:
        found = getattr(owner, attribute, None)
        return " ".join(str(found).split()) if found else otherwise
    except Exception:  # noqa: BLE001 - the boundary: a user's property
        return otherwise
