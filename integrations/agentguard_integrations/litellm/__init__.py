"""LiteLLM: one interface to many providers, whose clients it mostly speaks for itself.

entries    `completion`, `responses` and `embedding`, sync and async
answer     what comes back, in LiteLLM's shapes
streams    answers in pieces
"""

from agentguard_integrations.instrumentor import Instrumentor
from agentguard_integrations.litellm import entries, streams
from agentguard_integrations.patches import Patches

__all__ = ["LiteLLMInstrumentor"]


class LiteLLMInstrumentor(Instrumentor):
    """Traces and guards the functions of `litellm`, and so its `Router`: `chat {model}`.

    Where LiteLLM speaks through the `openai` client, that one's edge is a part of the same call.
    """

    requires = ("litellm >= 1.100",)
    supersedes = ("litellm",)

    def patch(self, patches: Patches) -> None:
        """Wrap the functions when LiteLLM is imported, before anybody can take them from it."""
        patches.on_import("litellm", lambda module: entries.patch(module, patches))
        for module in (
            "litellm.litellm_core_utils.streaming_handler",
            "litellm.responses.streaming_iterator",
        ):
            patches.on_import(module, lambda module: streams.patch(module, patches))
