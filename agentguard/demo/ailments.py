"""What can be wrong with an agent that does not stop, and what is known of it afterwards."""

from dataclasses import dataclass
from typing import Literal, get_args

from agentguard.demo.provider import Answer, Conversation
from agentguard.demo.provider.conversation import tool_call

__all__ = ["AILMENTS", "TURNS", "Ailment", "Runaway", "respond"]

Ailment = Literal["stuck", "greedy", "slow"]
"""Asks the same again and again; always finds something more to ask; waits for a library that
answers no more."""
AILMENTS: tuple[Ailment, ...] = get_args(Ailment)
TURNS = 100
"""How often it tries, whatever happens."""


@dataclass(frozen=True, slots=True)
class Runaway:
    """How it went: what stopped it, when (Unix seconds), and what it had used until then.

    `refused` are the model calls that it tried afterwards; `saved_usd` estimates what they would
    have cost.
    """

    trace_id: str
    ailment: Ailment
    guard: str
    reason: str
    stopped_at: float
    calls: int
    refused: int
    cost_usd: str
    saved_usd: str


def respond(conversation: Conversation) -> Answer:
    """What the runaway's model says: that it has to search once more."""
    turn = conversation.count("assistant")
    query = conversation.last("user") if "stuck" in conversation.last("system") else f"part {turn}"
    call = tool_call(conversation, "search_library", {"query": query})
    return Answer("Not quite there yet; searching again.", (call,))
