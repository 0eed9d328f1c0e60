"""AgentGuard: the flight recorder and the circuit breaker for AI agents.

    import agentguard

    agentguard.init()

    @agentguard.tool
    def search(query: str) -> list[str]: ...

    with agentguard.run("nightly"):
        search("otters")

Importing this package is nearly free: each name is loaded when it is first used.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agentguard.decorators import agent as agent
    from agentguard.decorators import task as task
    from agentguard.decorators import tool as tool
    from agentguard.errors import AgentGuardError as AgentGuardError
    from agentguard.errors import ConfigurationError as ConfigurationError
    from agentguard.lifecycle import Handle as Handle
    from agentguard.lifecycle import init as init
    from agentguard.propagation import ContextThreadPoolExecutor as ContextThreadPoolExecutor
    from agentguard.propagation import propagate as propagate
    from agentguard.runs import Run as Run
    from agentguard.runs import current_run as current_run
    from agentguard.runs import run as run
    from agentguard.spans import AgentSpan as AgentSpan
    from agentguard.spans import ChatSpan as ChatSpan
    from agentguard.spans import EmbeddingsSpan as EmbeddingsSpan
    from agentguard.spans import RetrievalSpan as RetrievalSpan
    from agentguard.spans import TaskSpan as TaskSpan
    from agentguard.spans import ToolSpan as ToolSpan
    from agentguard.spans import agent_span as agent_span
    from agentguard.spans import chat_span as chat_span
    from agentguard.spans import embeddings_span as embeddings_span
    from agentguard.spans import retrieval_span as retrieval_span
    from agentguard.spans import task_span as task_span
    from agentguard.spans import tool_span as tool_span

    __version__: str

_MODULE_OF = {
    "AgentGuardError": "errors",
    "AgentSpan": "spans",
    "ChatSpan": "spans",
    "ConfigurationError": "errors",
    "ContextThreadPoolExecutor": "propagation",
    "EmbeddingsSpan": "spans",
    "Handle": "lifecycle",
    "RetrievalSpan": "spans",
    "Run": "runs",
    "TaskSpan": "spans",
    "ToolSpan": "spans",
    "agent": "decorators",
    "agent_span": "spans",
    "chat_span": "spans",
    "current_run": "runs",
    "embeddings_span": "spans",
    "init": "lifecycle",
    "propagate": "propagation",
    "retrieval_span": "spans",
    "run": "runs",
    "task": "decorators",
    "task_span": "spans",
    "tool": "decorators",
    "tool_span": "spans",
}

__all__ = [*_MODULE_OF]


def __getattr__(name: str) -> object:
    if name == "__version__":
        from importlib.metadata import version

        value: object = version("agentguard")
    elif name in _MODULE_OF:
        value = getattr(import_module(f"agentguard.{_MODULE_OF[name]}"), name)
    else:
        raise AttributeError(f"module 'agentguard' has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_MODULE_OF})
