"""The `google-genai` client: content, streams, embeddings; Gemini and Vertex AI.

clients    the four methods that all requests go through
answer     what a request asks and what comes back, in Gemini's own shapes
"""

from functools import partial
from typing import Any

from agentguard_integrations.instrumentor import Instrumentor
from agentguard_integrations.patches import Patches

__all__ = ["GoogleGenAIInstrumentor"]


class GoogleGenAIInstrumentor(Instrumentor):
    """Traces and guards `client.models` and `client.aio.models`: `chat {model}`.

    Each request is a call of its own, also those that automatic function calling makes by itself.
    """

    requires = ("google-genai >= 1.50",)
    supersedes = ("google_genai", "google_generativeai")

    def patch(self, patches: Patches) -> None:
        """Wrap the client when it is imported."""
        patches.on_import("google.genai._api_client", partial(_patch, patches))


def _patch(patches: Patches, module: Any) -> None:
    # What reads its answers needs what only comes with the client.
    from agentguard_integrations.google_genai import clients

    clients.patch(module, patches)
