"""The `anthropic` client: messages, streams, tool use, cached tokens.

Spans are made where the guards are asked, at the one method that all requests go through
(`agentguard.boundary`). anthropic 2 makes a span for a request by itself; ours takes its place,
with the content that `agentguard.init` was asked to capture.
"""

from agentguard.runtime import runtime
from agentguard_integrations.instrumentor import Instrumentor
from agentguard_integrations.patches import Patches

__all__ = ["AnthropicInstrumentor"]


class AnthropicInstrumentor(Instrumentor):
    """Traces `Anthropic` and `AsyncAnthropic`: `chat {model}`.

    A call that an instrumentor of somebody else's has a span for gets no second one, nor does one
    of a client that was given a tracer provider of its own.
    """

    requires = ("anthropic >= 0.70",)

    def patch(self, patches: Patches) -> None:
        """Have the client's edge make spans."""
        runtime.traced_clients.add("anthropic")

    def unpatch(self) -> None:
        """Guards stay at the edge; spans are no longer made there."""
        runtime.traced_clients.discard("anthropic")
