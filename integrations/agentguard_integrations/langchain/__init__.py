"""LangChain and LangGraph: agents, graphs and their nodes, tools, retrievers, models.

Traced from a callback handler that every run has; the same place stops a run, for whatever is
raised when a chat model starts reaches the caller. What else it takes to end at once where the
framework would try again is in `stopping`.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import Any, Final

from agentguard_integrations.instrumentor import Instrumentor
from agentguard_integrations.langchain import contexts, stopping
from agentguard_integrations.langchain.handler import Tracing
from agentguard_integrations.langchain.runs import Runs
from agentguard_integrations.patches import Patches

__all__ = ["LangChainInstrumentor"]

_HANDLER: Final = "AgentGuardHandler"
_MANAGER: Final = "langchain_core.callbacks.manager"


class LangChainInstrumentor(Instrumentor):
    """Traces and guards what runs on `langchain-core`: chains, tools, models, LangGraph's graphs.

    A model call that goes through the `openai` or `anthropic` client is counted once.
    """

    requires = ("langchain-core >= 1.0",)
    supersedes = ("langchain",)

    def patch(self, patches: Patches) -> None:
        """Give every run the handler."""
        runs = Runs()
        patches.on_import(_MANAGER, partial(_add_handler, patches, runs))
        contexts.patch(patches, runs)
        stopping.patch(patches, runs)
        logging.getLogger(_MANAGER).addFilter(_is_not_ours)

    def unpatch(self) -> None:
        """Let the library log again whatever it likes."""
        logging.getLogger(_MANAGER).removeFilter(_is_not_ours)


def _add_handler(patches: Patches, runs: Runs, manager: Any) -> None:
    base = manager.BaseCallbackHandler
    # The library's own base: it has a default for each event that a later version adds.
    handler = type(_HANDLER, (Tracing, base), {"__module__": __name__})(runs)

    def configure(wrapped: Any, instance: Any, args: Any, kwargs: Any) -> Any:
        configured = wrapped(*args, **kwargs)
        # Before the others: what is refused here began for none of them, and they need no end.
        for handlers in (configured.handlers, configured.inheritable_handlers):
            if not any(each is handler for each in handlers):
                handlers.insert(0, handler)
        return configured

    patches.wrap(manager, "_configure", configure)


def _is_not_ours(record: logging.LogRecord) -> bool:
    """Not an error in a callback, which the library calls what a guard refuses."""
    return not (isinstance(record.args, tuple) and record.args[:1] == (_HANDLER,))
