"""How the server introduces itself to a client, and to the model behind it."""

from __future__ import annotations

from typing import Final

from agentguard_mcp.untrusted import INSTRUCTION

__all__ = ["INSTRUCTIONS", "NAME"]

NAME: Final = "agentguard"
INSTRUCTIONS: Final = (
    "AgentGuard records what AI agents do, what it costs, and what its guards stopped. "
    "Before costly work ask check_budget and follow its advice: go_on, slow_down or stop. "
    "To find runs use search with its filter language, then get_trace; for a run that a guard "
    "stopped, explain_stop. Times are UTC, money is US dollars. " + INSTRUCTION
)
