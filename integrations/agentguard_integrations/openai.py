"""The `openai` client: chat completions, responses, embeddings, `parse`, streams, raw responses.

Spans are made where the guards are asked, at the one method that all requests go through
(`agentguard.boundary`), so tracing and guarding a call costs one wrapper.
"""

from agentguard.runtime import runtime
from agentguard_integrations.instrumentor import Instrumentor
from agentguard_integrations.patches import Patches

__all__ = ["OpenAIInstrumentor"]


class OpenAIInstrumentor(Instrumentor):
    """Traces `OpenAI`, `AsyncOpenAI` and their Azure forms: `chat {model}`, `embeddings {model}`.

    A call that an instrumentor of somebody else's has a span for gets no second one.
    """

    requires = ("openai >= 1.109",)

    def patch(self, patches: Patches) -> None:
        """Have the client's edge make spans."""
        runtime.traced_clients.add("openai")

    def unpatch(self) -> None:
        """Guards stay at the edge; spans are no longer made there."""
        runtime.traced_clients.discard("openai")
