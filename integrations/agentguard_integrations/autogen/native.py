"""AutoGen's own spans: those that ours stand for are not made.

They belong to the scopes `autogen-core` (agents and tools, since 0.7) and
`autogen SingleThreadedAgentRuntime` (each message that is sent, published, received).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any

from opentelemetry.trace import Span, get_current_span

from agentguard_integrations.patches import Patches

__all__ = ["patch"]

_OF_A_TEAM = re.compile(r"_[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")

# Where AutoGen makes them: an agent that is constructed would be a trace of its own.
_MAKERS = (
    ("autogen_core.tools._base", "trace_tool_span"),
    ("autogen_ext.tools.mcp._workbench", "trace_tool_span"),
    ("autogen_agentchat.agents._base_chat_agent", "trace_create_agent_span"),
    ("autogen_agentchat.agents._base_chat_agent", "trace_invoke_agent_span"),
    ("autogen_agentchat.teams._group_chat._chat_agent_container", "trace_invoke_agent_span"),
)


def patch(patches: Patches) -> None:
    """Leave them out."""
    for module, name in _MAKERS:
        patches.on_import(module, partial(_leave_out, patches, name))
    patches.on_import("autogen_core._telemetry._tracing", partial(_leave_out_messages, patches))


def _leave_out(patches: Patches, name: str, module: Any) -> None:
    patches.replace(module, name, _no_span)


def _leave_out_messages(patches: Patches, module: Any) -> None:
    patches.wrap(module.TraceHelper, "trace_block", _trace_block)


def _trace_block(
    wrapped: Callable[..., Any], helper: Any, args: tuple[Any, ...], kwargs: dict[str, Any]
) -> Any:
    destination = args[1] if len(args) > 1 else kwargs.get("destination")
    if destination is None:
        # The answer to a message from outside of the runtime: its sender is in the attributes.
        destination = kwargs.get("attributes")
    return _no_span() if _is_of_a_team(destination) else wrapped(*args, **kwargs)


def _is_of_a_team(destination: Any) -> bool:
    """Whether the agent or the topic is one that a team made for itself: `{name}_{team's id}`."""
    if isinstance(destination, Mapping):
        kind = destination.get("sender_agent_type")
    else:
        kind = getattr(destination, "type", None)
    return isinstance(kind, str) and _OF_A_TEAM.search(kind) is not None


@contextmanager
def _no_span(*args: Any, **kwargs: Any) -> Iterator[Span]:
    yield get_current_span()
