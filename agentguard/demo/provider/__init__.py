"""A local HTTP server that speaks model providers' protocols, for demos and tests.

It answers from a script instead of a model: same request, same answer, same usage. Whatever it
said stands in `ProviderServer.requests()`, so expected tokens can be computed, not guessed.
"""

from agentguard.demo.provider.conversation import Answer, Conversation, Message, ToolCall, Usage
from agentguard.demo.provider.server import LoggedRequest, ProviderServer

__all__ = [
    "Answer",
    "Conversation",
    "LoggedRequest",
    "Message",
    "ProviderServer",
    "ToolCall",
    "Usage",
]
